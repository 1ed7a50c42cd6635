// Replay keeps the DNS behind a verdict: it records what was asked and answered
// while a client is checked, as text that anyone can read, and gives the same
// verdict again from that text, without a network.
//
//	replay -record FILE CLIENT-ADDRESS HELO-NAME   # asks the system's resolvers
//	replay -record FILE -server ADDR[:PORT] CLIENT-ADDRESS HELO-NAME
//	replay -play FILE CLIENT-ADDRESS HELO-NAME
//
// Such a file is what a report of a wrong verdict needs, and what a test of it
// begins with (see package resolvertest). Without arguments it shows itself.
//
// Exit status: 0 when there is a verdict, 2 for what it cannot read or write.
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
Without arguments a demonstration runs.
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

// verdict is what is to be kept: here, what the README says of a client.
func verdict(ctx context.Context, r resolver.Resolver, client netip.Addr, greeting string) string {
	rdns := fcrdns.Checker{Resolver: r}.Check(ctx, client)
	address := helo.Checker{Resolver: r}.Check(ctx, greeting, client)
	relation, _ := helo.Relate(address.Argument.Name, rdns.Name)
	return fmt.Sprintf("reverse name %s, HELO %s, names %s", rdns.Status, address.Status, relation)
}

// recordFile gives a verdict by the live DNS, and writes the transcript whole or
// not at all.
func recordFile(ctx context.Context, file string, live resolver.Resolver, client netip.Addr, greeting string, stdout io.Writer) error {
	var transcript bytes.Buffer
	text := verdict(ctx, dnsfake.Record(live, &transcript), client, greeting)
	if err := os.WriteFile(file, transcript.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s\nrecorded in %s\n", text, file)
	return nil
}

// playFile gives a verdict by a transcript. A question that it does not have, for
// another client say, is an error: no verdict may rest on it.
func playFile(ctx context.Context, file string, client netip.Addr, greeting string, stdout io.Writer) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	player, err := dnsfake.Replay(file, f)
	if err != nil {
		return err
	}
	text := verdict(ctx, player, client, greeting)
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
	client, greeting := netip.MustParseAddr("192.0.2.10"), "post.harbour.example"
	var transcript bytes.Buffer
	first := verdict(ctx, dnsfake.Record(zones, &transcript), client, greeting)
	fmt.Fprintf(stdout, "%s\n\n%s\n", first, &transcript)
	player, err := dnsfake.Replay("transcript", &transcript)
	if err != nil {
		return err
	}
	again := verdict(ctx, player, client, greeting)
	fmt.Fprintf(stdout, "%s, from the transcript alone\n", again)
	return nil
}
