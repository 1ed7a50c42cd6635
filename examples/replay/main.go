// Replay keeps the DNS answers behind a verdict: it records the questions and answers of
// one check as readable text, and repeats the verdict from that text without a network.
//
//	replay -record FILE CLIENT-ADDRESS HELO-NAME   # asks the system's resolvers
//	replay -record FILE -server ADDR[:PORT] CLIENT-ADDRESS HELO-NAME
//	replay -play FILE CLIENT-ADDRESS HELO-NAME
//
// Attach such a file to a report of a wrong verdict, and begin a test of it with the file
// (see package resolvertest). Without arguments a demonstration runs.
//
// Exit status: 0 after a verdict, 2 for bad flags or what it cannot read or write.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
	"github.com/bonafide-mta/bonafide/examples/internal/dnssource"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

//go:embed demo.zone
var demoZone string

func main() { command.Main("replay", run) }

const usage = `usage: replay -record FILE [-server ADDR[:PORT]] CLIENT-ADDRESS HELO-NAME
       replay -play FILE CLIENT-ADDRESS HELO-NAME
  -record FILE          write the DNS questions and answers to this file
  -play FILE            answer from this file
  -server ADDR[:PORT]   ask this DNS server; those of /etc/resolv.conf by default
Without arguments a demonstration runs.
Exit status: 0 a verdict, 2 bad flags or what cannot be read or written.
`

// run is main with its surroundings as arguments.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return demonstrate(ctx, stdout)
	}
	var dns dnssource.Flags
	fs := command.NewFlags("replay")
	record := fs.String("record", "", "")
	play := fs.String("play", "", "")
	dns.RegisterServer(fs, "server")
	if err := command.Parse(fs, args, usage, stdout); err != nil {
		return err
	}
	client, err := netip.ParseAddr(fs.Arg(0))
	switch {
	case fs.NArg() != 2:
		return errors.New("expected a client's address and its HELO name")
	case err != nil:
		return fmt.Errorf("%q: expected the client's IPv4 or IPv6 address", fs.Arg(0))
	case (*record == "") == (*play == ""):
		return errors.New("expected one of -record and -play")
	case *play != "":
		return playFile(ctx, *play, client, fs.Arg(1), stdout)
	}
	live, err := dns.Live()
	if err != nil {
		return err
	}
	return recordFile(ctx, *record, live, client, fs.Arg(1), stdout)
}

// verdict returns the verdict to keep: here, on the PTR and HELO names of a client.
func verdict(ctx context.Context, r resolver.Resolver, client netip.Addr, heloName string) string {
	rdns := fcrdns.Checker{Resolver: r}.Check(ctx, client)
	address := helo.Checker{Resolver: r}.Check(ctx, heloName, client)
	relation, _ := helo.Relate(address.Argument.Name, rdns.Name)
	return fmt.Sprintf("reverse name %s, HELO %s, names %s", rdns.Status, address.Status, relation)
}

// recordFile prints a verdict by the live DNS, and writes its transcript.
func recordFile(ctx context.Context, file string, live resolver.Resolver, client netip.Addr, heloName string, stdout io.Writer) error {
	var transcript bytes.Buffer
	text := verdict(ctx, dnsfake.Record(live, &transcript), client, heloName)
	if err := os.WriteFile(file, transcript.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s\nrecorded in %s\n", text, file)
	return nil
}

// playFile prints a verdict by a transcript. A question that the transcript does not have,
// such as one about another client, is an error: there is no verdict without its answer.
func playFile(ctx context.Context, file string, client netip.Addr, heloName string, stdout io.Writer) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	player, err := dnsfake.Replay(file, f)
	if err != nil {
		return err
	}
	text := verdict(ctx, player, client, heloName)
	if err := errors.Join(player.Missing()...); err != nil {
		return err
	}
	fmt.Fprintln(stdout, text)
	return nil
}

// demonstrate records a verdict from zones in memory, and replays it.
func demonstrate(ctx context.Context, stdout io.Writer) error {
	zones, err := resolver.ReadZone("", "demo.zone", strings.NewReader(demoZone))
	if err != nil {
		return err
	}
	client, heloName := netip.MustParseAddr("192.0.2.10"), "post.harbour.example"
	var transcript bytes.Buffer
	first := verdict(ctx, dnsfake.Record(zones, &transcript), client, heloName)
	fmt.Fprintf(stdout, "%s\n\n%s\n", first, &transcript)
	player, err := dnsfake.Replay("transcript", &transcript)
	if err != nil {
		return err
	}
	again := verdict(ctx, player, client, heloName)
	fmt.Fprintf(stdout, "%s, from the transcript alone\n", again)
	return nil
}
