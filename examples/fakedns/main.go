// Fakedns serves zone files on the loopback, with faults and delays, and logs the
// questions: a DNS server to test programs against.
//
//	fakedns -zone [ORIGIN=]FILE... [-listen ADDR:PORT] [-fail NAME,TYPE,KIND[,TIMES]]... [-delay NAME,TYPE,DURATION]...
//
// Try it:
//
//	fakedns -zone example.test.zone -fail mail.example.test,A,SERVFAIL,2 -delay slow.example.test,ANY,3s
//
// It serves until an interrupt or SIGTERM. Without -zone it runs a demonstration: it serves
// a zone of its own, asks for a few names, and ends.
//
// Exit status: 0 on success, 2 for bad flags or what it cannot read or serve.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
	"github.com/bonafide-mta/bonafide/examples/internal/dnssource"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

//go:embed demo.zone
var demoZone string

func main() { command.Main("fakedns", run) }

const usage = `usage: fakedns [flags]
  -zone [ORIGIN=]FILE            serve this zone file; repeatable
  -listen ADDR:PORT              where to listen; 127.0.0.1:0, a free port, by default
  -fail NAME,TYPE,KIND[,TIMES]   fail or deny this question; repeatable. KIND is one of
                                 SERVFAIL, REFUSED, FORMERR, TIMEOUT, TRUNCATED,
                                 GARBAGE, FORGED, NETWORK, or NXDOMAIN or NODATA;
                                 TYPE ANY means every type
  -delay NAME,TYPE,DURATION      delay this answer; repeatable
Without -zone a demonstration runs.
Exit status: 0 success, 2 bad flags or what cannot be read or served.
`

// run is main with its surroundings as arguments.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	var zones, fails, delays []string
	listen := "127.0.0.1:0"
	fs := command.NewFlags("fakedns")
	fs.StringVar(&listen, "listen", listen, "")
	command.Strings(fs, "zone", &zones)
	command.Strings(fs, "fail", &fails)
	command.Strings(fs, "delay", &delays)
	if err := command.ParseAll(fs, args, usage, stdout); err != nil {
		return err
	}
	addr, err := netip.ParseAddrPort(listen)
	if err != nil {
		return fmt.Errorf("-listen %q: expected an address and a port, such as 127.0.0.1:5353", listen)
	}
	served, ask, err := load(zones)
	if err != nil {
		return err
	}
	fake := dnsfake.FromZones(served)
	if ask {
		fails, delays = append(fails, "broken.harbour.example,A,SERVFAIL,1"), append(delays, "slow.harbour.example,ANY,100ms")
	}
	for _, value := range fails {
		if err := fail(fake, value); err != nil {
			return fmt.Errorf("-fail %q: %w; expected NAME,TYPE,KIND[,TIMES]", value, err)
		}
	}
	for _, value := range delays {
		if err := delay(fake, value); err != nil {
			return fmt.Errorf("-delay %q: %w; expected NAME,TYPE,DURATION", value, err)
		}
	}
	server, err := fake.ServeAt(addr)
	if err != nil {
		return err
	}
	defer server.Close()
	if ask {
		return demonstrate(ctx, fake, server.Addr, stdout)
	}
	fake.Watch(func(q resolver.Question) { fmt.Fprintln(stdout, q) })
	fmt.Fprintf(stdout, "serving %s on %s, over UDP and TCP\n", strings.Join(served.Origins(), " "), server.Addr)
	<-ctx.Done()
	return nil
}

// load reads the zones, or those of the demonstration.
func load(files []string) (zones *resolver.Zones, demonstration bool, err error) {
	if len(files) > 0 {
		zones, err = dnssource.ReadZones(files...)
		return zones, false, err
	}
	zones, err = resolver.ReadZone("", "demo.zone", strings.NewReader(demoZone))
	return zones, true, err
}

// fail reads the value of -fail.
func fail(fake *dnsfake.Fake, value string) error {
	parts := strings.Split(value, ",")
	if len(parts) != 3 && len(parts) != 4 {
		return errors.New("three or four parts")
	}
	qtype, err := question(parts[0], parts[1])
	if err != nil {
		return err
	}
	var kind dnsfake.Kind
	if err := kind.UnmarshalText([]byte(parts[2])); err != nil {
		return err
	}
	fault := fake.Fail(parts[0], qtype, kind)
	if len(parts) == 4 {
		times, err := strconv.Atoi(parts[3])
		if err != nil || times < 1 {
			return fmt.Errorf("%q is not a number of times", parts[3])
		}
		fault.Times(times)
	}
	return nil
}

// delay reads the value of -delay.
func delay(fake *dnsfake.Fake, value string) error {
	parts := strings.Split(value, ",")
	if len(parts) != 3 {
		return errors.New("three parts")
	}
	qtype, err := question(parts[0], parts[1])
	if err != nil {
		return err
	}
	wait, err := time.ParseDuration(parts[2])
	if err != nil || wait <= 0 {
		return fmt.Errorf("%q is not a duration", parts[2])
	}
	fake.Delay(parts[0], qtype, wait)
	return nil
}

// question checks a name and a type: the Fake panics on bad ones.
func question(name, word string) (uint16, error) {
	if _, err := resolver.Canonical(name); err != nil {
		return 0, err
	}
	qtype, ok := dns.StringToType[strings.ToUpper(word)]
	if !ok {
		return 0, fmt.Errorf("%q is not a record type", word)
	}
	return qtype, nil
}

// demonstrate asks for the names of the demonstration.
func demonstrate(ctx context.Context, fake *dnsfake.Fake, addr netip.AddrPort, stdout io.Writer) error {
	client := &resolver.Client{Servers: []netip.AddrPort{addr}, Rounds: 1}
	for _, name := range []string{"post.harbour.example", "broken.harbour.example", "broken.harbour.example", "slow.harbour.example", "nothing.harbour.example"} {
		reply := resolver.Ask(ctx, client, name, dns.TypeA)
		fmt.Fprintln(stdout, strings.ReplaceAll(reply.String(), addr.String(), "fakedns"))
	}
	fmt.Fprintf(stdout, "asked: %v\n", fake.Questions())
	return nil
}
