// Audit tells whether an organisation's mail servers can be told from bots by
// what the DNS says of them, rule by rule.
//
//	audit                                        # a demonstration, from memory
//	audit -org org.yaml                          # the live DNS, by the system's resolvers
//	audit -org org.yaml -html report.html        # and as a page, for a browser
//	audit -org org.yaml -server 192.0.2.53       # what one DNS server says
//	audit -org org.yaml -zone example.org.zone -zone 2.0.192.in-addr.arpa=reverse.zone
//	audit -domain example.org -helo post.example.org -ip 192.0.2.10 -ptr mta1.example.org
//
// Without -org, each -helo opens an MTA, and the -ip and -ptr after it belong to
// it. Zone files are audited as they would be served, before they are, and with them,
// unless the description names others, the names in them that seem to be without mail.
//
// Exit status: 0 nothing failed at the threshold or above, 1 something did,
// 2 usage or input that cannot be read, 3 nothing failed, but something at the
// threshold or above could not be decided.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver"
)

//go:embed demo.yaml
var demoOrg []byte

//go:embed demo.zone
var demoZone string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with its surroundings as arguments; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "audit: %v (-h lists the flags)\n", err)
		return 2
	}
	described, r, err := o.load(stderr)
	if err != nil {
		// A file's errors stand on lines of their own, each with its position.
		fmt.Fprintf(stderr, "audit: %v\n", err)
		return 2
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("the audit took longer than -timeout %v", o.timeout))
	defer cancel()
	report, err := audit.Auditor{Resolver: r, AllowDocumentation: o.allowDocumentation}.Audit(ctx, described)
	if err != nil {
		fmt.Fprintf(stderr, "audit: %v\n", err)
		return 2
	}
	if err := o.write(report, stdout); err != nil {
		fmt.Fprintf(stderr, "audit: %v\n", err)
		return 2
	}
	switch {
	case report.Failed(o.threshold):
		return 1
	case report.Undecided(o.threshold):
		return 3
	}
	return 0
}

// options is what the flags say.
type options struct {
	orgFile            string
	org                org.Organisation // of -domain, -helo, -ip and -ptr
	zones              []string         // as resolver.ReadZoneFiles takes them
	server             string
	threshold          rule.Level
	timeout            time.Duration
	json               bool
	markdown           bool
	html               string // a file
	allowDocumentation bool
}

const usage = `usage: audit [flags]
  -org FILE                description of the organisation, YAML or JSON
  -domain NAME             or without a file: its domain,
  -helo NAME -ip ADDR -ptr NAME
                           and for each MTA its HELO name, addresses and PTR name
  -zone [ORIGIN=]FILE      audit zone files instead of the live DNS; repeatable
  -server ADDR[:PORT]      ask this DNS server instead of the system's
  -threshold LEVEL         must (the default), should-major, should-minor, advice
  -timeout DURATION        for the whole audit, 30s by default
  -allow-documentation     accept names and addresses for documentation
  -json                    for machines
  -markdown                for issues and chats
  -html FILE               write the report as a page, too
Without a domain or a file, a demonstration is audited.
`

func parseFlags(args []string) (*options, error) {
	o := &options{threshold: rule.Must}
	fs := flag.NewFlagSet("audit", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the error comes back, and is printed once
	fs.StringVar(&o.orgFile, "org", "", "")
	fs.StringVar(&o.org.Domain, "domain", "", "")
	fs.StringVar(&o.server, "server", "", "")
	fs.TextVar(&o.threshold, "threshold", rule.Must, "")
	fs.DurationVar(&o.timeout, "timeout", 30*time.Second, "")
	fs.BoolVar(&o.json, "json", false, "")
	fs.BoolVar(&o.markdown, "markdown", false, "")
	fs.StringVar(&o.html, "html", "", "")
	fs.BoolVar(&o.allowDocumentation, "allow-documentation", false, "")
	fs.Func("zone", "", func(value string) error {
		o.zones = append(o.zones, value)
		return nil
	})
	fs.Func("helo", "", func(name string) error {
		id := fmt.Sprintf("mta%d", len(o.org.MTAs)+1)
		o.org.MTAs = append(o.org.MTAs, org.MTA{ID: id, HELO: name})
		return nil
	})
	fs.Func("ip", "", o.lastMTA(func(m *org.MTA, value string) error {
		addr, err := netip.ParseAddr(value)
		if err != nil {
			return errors.New("expected an IPv4 or IPv6 address")
		}
		m.Addresses = append(m.Addresses, addr.Unmap())
		return nil
	}))
	fs.Func("ptr", "", o.lastMTA(func(m *org.MTA, value string) error {
		if m.PTR != "" {
			return fmt.Errorf("the MTA has the PTR name %s already; another MTA begins with another -helo", m.PTR)
		}
		m.PTR = value
		return nil
	}))
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	return o, o.check(fs.Args())
}

// lastMTA applies a flag to the MTA that the last -helo opened.
func (o *options) lastMTA(set func(*org.MTA, string) error) func(string) error {
	return func(value string) error {
		if len(o.org.MTAs) == 0 {
			return errors.New("it belongs to the -helo before it, and there is none")
		}
		return set(&o.org.MTAs[len(o.org.MTAs)-1], value)
	}
}

// check finds flags that do not go together.
func (o *options) check(rest []string) error {
	described := o.org.Domain != "" || len(o.org.MTAs) > 0
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case o.orgFile != "" && described:
		return errors.New("-org and -domain or -helo: describe the organisation in one way")
	case described && o.org.Domain == "":
		return errors.New("-helo without -domain")
	case len(o.zones) > 0 && o.server != "":
		return errors.New("-zone and -server: audit one of them at a time")
	case (len(o.zones) > 0 || o.server != "") && o.orgFile == "" && !described:
		return errors.New("-zone or -server without -org or -domain: whose mail servers are to be audited?")
	case o.json && o.markdown:
		return errors.New("-json and -markdown: choose one")
	case o.timeout <= 0:
		return fmt.Errorf("-timeout %v: expected a positive duration, such as 30s", o.timeout)
	}
	return nil
}

// load reads the organisation, and opens what its DNS is asked of.
func (o *options) load(stderr io.Writer) (*org.Organisation, resolver.Resolver, error) {
	switch {
	case o.orgFile != "":
		text, err := os.ReadFile(o.orgFile)
		if err != nil {
			return nil, nil, err
		}
		described, err := org.Parse(o.orgFile, text)
		if err != nil {
			return nil, nil, err
		}
		r, err := o.resolver(described, stderr)
		return described, r, err
	case o.org.Domain != "":
		if err := o.org.Validate(); err != nil {
			return nil, nil, err
		}
		r, err := o.resolver(&o.org, stderr)
		return &o.org, r, err
	}
	o.allowDocumentation = true
	described, err := org.Parse("demo.yaml", demoOrg)
	if err != nil {
		return nil, nil, err
	}
	zones, err := resolver.ReadZone("", "demo.zone", strings.NewReader(demoZone))
	return described, zones, err
}

// resolver returns the zone files, the server, or the system's resolvers.
func (o *options) resolver(described *org.Organisation, stderr io.Writer) (resolver.Resolver, error) {
	switch {
	case len(o.zones) > 0:
		return o.readZones(described, stderr)
	case o.server != "":
		server, err := resolver.ParseServer(o.server)
		if err != nil {
			return nil, fmt.Errorf("-server: %w", err)
		}
		return &resolver.Client{Servers: []netip.AddrPort{server}}, nil
	}
	return resolver.SystemClient()
}

// readZones reads the zone files, and warns of what is hardly meant in them. Without
// names in the description, those of the zones that seem to be without mail are
// audited.
func (o *options) readZones(described *org.Organisation, stderr io.Writer) (resolver.Resolver, error) {
	zones, err := resolver.ReadZoneFiles(o.zones...)
	if err != nil {
		return nil, err
	}
	for _, warning := range zones.Warnings() {
		fmt.Fprintf(stderr, "audit: warning: %v\n", warning)
	}
	if len(described.Names) == 0 {
		h, err := plan.Harden(plan.All(zones), described)
		if err != nil {
			return nil, err
		}
		described.Names = h.Names
	}
	return resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		answer, err := zones.Lookup(ctx, name, qtype)
		if errors.Is(err, resolver.ErrNoZone) {
			err = fmt.Errorf("%w (give its zone with another -zone)", err)
		}
		return answer, err
	}), nil
}
