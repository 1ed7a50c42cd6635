// Spf checks a sender, explains a domain's policy, or flattens it.
//
//	spf                                         # explains a demonstration, from memory
//	spf check 192.0.2.10 user@example.org       # may this client use this address?
//	spf explain example.org                     # the tree, its lookups, who may send
//	spf flatten example.org                     # the same without lookups, as zone text
//
// It asks the resolvers of the system, or with -server another DNS server. With -zone it
// answers from a zone file, for example before that is published.
//
// Exit status: 0 pass, or a policy without errors; 1 any other verdict, or a policy with
// errors; 2 bad flags or input, or a policy that cannot be flattened; 3 a DNS failure.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
	"github.com/bonafide-mta/bonafide/examples/internal/dnssource"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

//go:embed demo.zone
var demoZone string

func main() {
	command.MainStatus(func(ctx context.Context, args []string, stdout, stderr io.Writer) int {
		status, err := run(ctx, args, stdout)
		return command.Status("spf", status, err, stderr)
	})
}

const usage = `usage: spf check [flags] CLIENT-ADDRESS SENDER-ADDRESS
       spf explain [flags] DOMAIN
       spf flatten [flags] DOMAIN
  -zone [ORIGIN=]FILE    answer from this zone file instead of DNS; repeatable
  -server ADDR[:PORT]    ask this DNS server instead of those of the system
  -helo NAME             check: the HELO name of the client, judged if the sender is ""
  -ttl SECONDS           flatten: TTL of the records, 3600 by default
Without arguments a demonstration is explained.
Exit status: 0 pass, or no errors; 1 any other verdict, or errors; 2 bad flags or input,
or a policy that cannot be flattened; 3 a DNS failure.
`

// run is main with its surroundings as arguments; it returns the exit status.
func run(ctx context.Context, args []string, stdout io.Writer) (int, error) {
	if len(args) == 0 {
		zones, err := resolver.ReadZone("", "demo.zone", strings.NewReader(demoZone))
		if err != nil {
			return 2, err
		}
		return explain(ctx, zones, "harbour.example", stdout)
	}
	verb := args[0]
	if slices.Contains([]string{"-h", "-help", "--help", "help"}, verb) {
		fmt.Fprint(stdout, usage)
		return 0, nil
	}
	var dns dnssource.Flags
	fs := command.NewFlags("spf")
	dns.Register(fs, "server")
	helo := fs.String("helo", "", "")
	ttl := fs.Uint("ttl", 3600, "")
	if err := command.Parse(fs, args[1:], usage, stdout); errors.Is(err, flag.ErrHelp) {
		return 0, nil
	} else if err != nil {
		return 2, err
	}
	r, err := dns.Open()
	if err != nil {
		return 2, err
	}
	switch {
	case verb == "check" && fs.NArg() == 2:
		client, err := netip.ParseAddr(fs.Arg(0))
		if err != nil {
			return 2, fmt.Errorf("%q: expected the client's IPv4 or IPv6 address", fs.Arg(0))
		}
		return check(ctx, r, client, *helo, fs.Arg(1), stdout), nil
	case verb == "explain" && fs.NArg() == 1:
		return explain(ctx, r, fs.Arg(0), stdout)
	case verb == "flatten" && fs.NArg() == 1:
		return flatten(ctx, r, fs.Arg(0), uint32(min(*ttl, 1<<31-1)), stdout)
	}
	return 2, fmt.Errorf("expected check with an address and a sender, or explain or flatten with a domain (-h lists the flags)")
}

// check prints a verdict and how it came about.
func check(ctx context.Context, r resolver.Resolver, client netip.Addr, helo, sender string, stdout io.Writer) int {
	result := spf.Checker{Resolver: r}.CheckMailFrom(ctx, client, helo, sender)
	fmt.Fprintf(stdout, "%s: %s by %s\n", result.Domain, result.Status, result.Term)
	if result.Err != nil {
		fmt.Fprintf(stdout, "because: %v\n", result.Err)
	}
	if result.Status == spf.None {
		for _, response := range result.Responses {
			for _, text := range response.TXT() {
				if fault := spf.NearMiss(text); fault != "" {
					fmt.Fprintf(stdout, "receivers pass over the TXT record %+q: %s\n", text, fault)
				}
			}
		}
	}
	if result.Explanation != "" {
		fmt.Fprintf(stdout, "the owner of %s publishes the explanation %q\n", result.Domain, result.Explanation)
	}
	if result.Degraded.Domain != "" {
		fmt.Fprintf(stdout, "not certain: a DNS failure hides whether %s matches\n", result.Degraded)
	}
	fmt.Fprintf(stdout, "lookups %d of 10, void %d of 2, questions %d\n\n", result.Lookups, result.Voids, result.Questions)
	fmt.Fprintln(stdout, strings.ReplaceAll(result.ReceivedSPF(), "\r\n", "\n"))
	switch {
	case result.Status == spf.Pass:
		return 0
	case result.Status.Temporary():
		return 3
	}
	return 1
}

// explain prints the tree of a policy, its lookups, who may send, and its errors.
func explain(ctx context.Context, r resolver.Resolver, domain string, stdout io.Writer) (int, error) {
	a := spf.Analyze(ctx, r, domain)
	cost := a.Root.Sum
	fmt.Fprintf(stdout, "%s: lookups %d of 10, void %d of 2 for IPv4 clients, %d for IPv6\n\n", a.Domain, cost.Lookups, cost.Voids4, cost.Voids6)
	tree(stdout, a.Root, "")
	for _, status := range []spf.Status{spf.Pass, spf.Neutral, spf.SoftFail, spf.Fail, spf.TempError, spf.PermError, spf.None} {
		networks := a.Sets[status]
		// One set is most of the Internet: the result for all other clients.
		others := slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Bits() <= 4 })
		switch {
		case others:
			fmt.Fprintf(stdout, "\n%s: all others\n", status)
		case len(networks) > 0:
			fmt.Fprintf(stdout, "\n%s: %s\n", status, list(networks))
		}
	}
	for _, term := range a.Undecided {
		fmt.Fprintf(stdout, "\nnot known from the address alone: %s\n", term)
	}
	if len(a.Lints) > 0 {
		fmt.Fprintln(stdout)
	}
	status := 0
	for _, lint := range a.Lints {
		fmt.Fprintln(stdout, lint)
		if lint.Severity == spf.Broken {
			status = 1
		}
	}
	if a.Err != nil && status == 0 {
		return 3, a.Err
	}
	return status, nil
}

// tree prints a record and those below it.
func tree(stdout io.Writer, n *spf.TreeNode, indent string) {
	fmt.Fprintf(stdout, "%s%s", indent, n.Domain)
	if n.Sum.Lookups > 0 {
		fmt.Fprintf(stdout, "  (%d lookups, %d with those below)", n.Own.Lookups, n.Sum.Lookups)
	}
	if n.Err != nil {
		fmt.Fprintf(stdout, "  %v", n.Err)
	}
	fmt.Fprintln(stdout)
	for _, p := range n.Terms {
		// Quoted, and the quotes removed: the text of a record must not control a terminal.
		text := fmt.Sprintf("%q", p.Term.Text)
		fmt.Fprintf(stdout, "%s  %s", indent, text[1:len(text)-1])
		switch p.Term.Kind {
		case spf.A, spf.MX, spf.Exists:
			if len(p.Networks) > 0 {
				fmt.Fprintf(stdout, "  = %s", list(p.Networks))
			}
		}
		fmt.Fprintln(stdout)
		if p.Below != nil {
			tree(stdout, p.Below, indent+"    ")
		}
	}
}

// list prints networks, the first dozen at most.
func list(networks []netip.Prefix) string {
	const most = 12
	var texts []string
	for _, p := range networks[:min(len(networks), most)] {
		text := p.String()
		if p.IsSingleIP() {
			text = p.Addr().String()
		}
		texts = append(texts, text)
	}
	if more := len(networks) - most; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more networks", more))
	}
	return strings.Join(texts, " ")
}

// flatten prints the records of a policy without lookups.
func flatten(ctx context.Context, r resolver.Resolver, domain string, ttl uint32, stdout io.Writer) (int, error) {
	a := spf.Analyze(ctx, r, domain)
	records, err := a.Flatten(ctx, r, ttl)
	if err != nil {
		if a.Err != nil {
			return 3, err
		}
		return 2, err
	}
	fmt.Fprintf(stdout, "; %s with no lookups but its own includes. It does not follow the records\n; that it was made of: make it again when they change.\n", a.Domain)
	for _, record := range records {
		fmt.Fprintln(stdout, record.RR)
		for _, term := range record.From {
			for i, by := range term.By {
				if i == 0 {
					fmt.Fprintf(stdout, ";   %-20s %s\n", list([]netip.Prefix{term.Network}), by)
				} else {
					fmt.Fprintf(stdout, ";   %-20s and %s\n", "", by)
				}
			}
		}
	}
	return 0, nil
}
