// Audit judges, rule by rule, whether DNS tells an organization's mail servers apart from
// bots.
//
//	audit                                        # a demonstration, from memory
//	audit -org org.yaml                          # the live DNS, by the system's resolvers
//	audit -org org.yaml -html report.html        # and as a page, for a browser
//	audit -org org.yaml -server 192.0.2.53       # the answers of one DNS server
//	audit -org org.yaml -zone example.org.zone -zone 2.0.192.in-addr.arpa=reverse.zone
//	audit -domain example.org -helo post.example.org -ip 192.0.2.10 -ptr mta1.example.org
//	audit -org customers/ -summary               # a line for each description in the directory
//	audit -org org.yaml -since last.json -save last.json   # only changes since last time
//
// Without -org, each -helo begins an MTA, and the -ip and -ptr flags after it belong to
// that MTA. Zone files are audited as a server would serve them, for example before they
// are published. If the description has no names, the audit adds those of the zone files
// that seem to have nothing to do with mail.
//
// With -probe, the audit asks the mail servers of the HELO names and mail domains whether
// they accept mail for postmaster and abuse. It connects to them, and to their owners it
// looks like somebody who tries out addresses: use it only for your own servers.
//
// Several organizations are audited at a time and printed in the order of their flags; an
// organization that cannot be audited does not stop the others.
//
// With -json, standard output is always one document of the schema in package report: a
// report or, with -since, the changes; if there is none, the reason; for several
// organizations or a directory, a list of these.
//
// Exit status: 0 all is well; 1 a rule failed at the threshold or above; 2 bad flags, input
// or output; 3 nothing failed, but a rule there could not be decided. For several
// organizations it is the first of 2, 1, 3 and 0 that any of them has. Neither -since nor
// -summary changes it. The demonstration ends with 0 although rules fail.
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
	"strconv"
	"sync"
	"time"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
	"github.com/bonafide-mta/bonafide/examples/internal/dnssource"
	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/reputation/roleaddr"
)

//go:embed demo.yaml
var demoOrg []byte

func main() { command.MainStatus(run) }

// run is main with its surroundings as arguments; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	p := &printer{options: o, stdout: stdout, stderr: stderr, pageWritten: make(map[string]bool)}
	if err != nil {
		return p.fail(err)
	}
	descriptions := o.describe()
	r, err := o.resolver(descriptions, stderr)
	if err != nil {
		return p.fail(err)
	}
	if err := p.open(); err != nil {
		return p.fail(err)
	}
	defer p.discard()
	p.isList = o.several
	auditor := audit.Auditor{Resolver: r, AllowDocumentation: o.allowDocumentation, Timeout: o.timeout}
	if o.probe != "" {
		checker := roleaddr.Checker{Resolver: r, Helo: o.probe}
		var one sync.Mutex // organizations may share a server
		auditor.Mailboxes = func(ctx context.Context, domain string) *roleaddr.Result {
			one.Lock()
			defer one.Unlock()
			return checker.Check(ctx, domain)
		}
	}
	audits := audits{descriptions: descriptions, auditor: auditor}
	bar := progress(stderr, len(descriptions))
	return p.print(ctx, audits.run(ctx, bar), bar)
}

// options holds the values of the flags.
type options struct {
	orgs               []string         // files and directories
	several            bool             // there can be more than one description
	org                org.Organization // of -domain, -helo, -ip and -ptr
	dns                dnssource.Flags
	probe              string // the HELO name to ask mail servers with; "" asks none
	threshold          rule.Level
	timeout            time.Duration
	format             string // text, json, markdown or summary
	since, save        string // files
	html               string // a file, or of several organizations a directory
	allowDocumentation bool
}

const usage = `usage: audit [flags]
  -org PATH                description of the organization, YAML or JSON, or a
                           directory of them (*.yaml, *.yml, *.json); repeatable
  -domain NAME             or without a file: its domain,
  -helo NAME -ip ADDR -ptr NAME
                           and for each MTA its HELO name, addresses and PTR name
  -zone [ORIGIN=]FILE      audit zone files instead of the live DNS; repeatable
  -server ADDR[:PORT]      ask this DNS server instead of those of the system
  -probe NAME              connect to the mail servers with NAME in HELO, and ask whether
                           they accept postmaster and abuse; only for your own servers,
                           with a -timeout of minutes, as mail servers take their time
  -threshold LEVEL         must (the default), should-major, should-minor, advice
  -timeout DURATION        for the audit of each organization, 30s by default
  -allow-documentation     accept names and addresses for documentation
  -json                    for machines
  -markdown                for issues and chats
  -summary                 one line for each organization
  -since FILE              print only changes since the reports that -save wrote
  -save FILE               write the reports; it may be the FILE of -since
  -html PATH               write each report as a page, too: to a file, or for several
                           organizations into a directory
Without -org and -domain, a demonstration is audited, with exit status 0 or 2.
Exit status: 0 well, 1 failed at the threshold or above, 2 flags, input or output,
3 not decided there; for several organizations 2, else 1, else 3, else 0.
`

func parseFlags(args []string, stdout io.Writer) (*options, error) {
	o := &options{threshold: rule.Must, format: "text"}
	fs := command.NewFlags("audit")
	command.Strings(fs, "org", &o.orgs)
	o.dns.Register(fs, "server")
	fs.StringVar(&o.org.Domain, "domain", "", "")
	fs.StringVar(&o.probe, "probe", "", "")
	fs.TextVar(&o.threshold, "threshold", rule.Must, "")
	command.Timeout(fs, &o.timeout, 30*time.Second)
	fs.StringVar(&o.since, "since", "", "")
	fs.StringVar(&o.save, "save", "", "")
	fs.BoolFunc("json", "", o.use("json"))
	fs.BoolFunc("summary", "", o.use("summary"))
	fs.BoolFunc("markdown", "", o.use("markdown"))
	fs.StringVar(&o.html, "html", "", "")
	fs.BoolVar(&o.allowDocumentation, "allow-documentation", false, "")
	fs.Func("helo", "", func(name string) error {
		id := fmt.Sprintf("mta%d", len(o.org.MTAs)+1)
		o.org.MTAs = append(o.org.MTAs, org.MTA{ID: id, Helo: name})
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
	if err := command.ParseAll(fs, args, usage, stdout); err != nil {
		if slices.Contains(args, "-json") || slices.Contains(args, "--json") { // Parse may have stopped before it
			o.format = "json"
		}
		return o, err
	}
	return o, o.check()
}

// use chooses the format of the output.
func (o *options) use(format string) func(string) error {
	return func(value string) error {
		if on, err := strconv.ParseBool(value); !on {
			return err
		}
		if o.format != "text" && o.format != format {
			return fmt.Errorf("-%s and -%s: choose one", o.format, format)
		}
		o.format = format
		return nil
	}
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
func (o *options) check() error {
	helo, err := helo.Parse(o.probe)
	switch {
	case len(o.orgs) > 0 && o.describes():
		return errors.New("-org and -domain or -helo: describe the organization in one way")
	case o.describes() && o.org.Domain == "":
		return errors.New("-helo without -domain")
	case len(o.dns.Zones) > 0 && o.dns.Server != "":
		return errors.New("-zone and -server: audit one of them at a time")
	case (len(o.dns.Zones) > 0 || o.dns.Server != "") && o.demonstrates():
		return errors.New("-zone or -server without -org or -domain: whose mail servers are to be audited?")
	case o.probe != "" && o.demonstrates():
		return errors.New("-probe without -org or -domain: whose mail servers are to be asked?")
	case o.probe != "" && (err != nil || !helo.Resolvable()):
		return fmt.Errorf("-probe %q: expected the full name of this machine, as mail.example.org", o.probe)
	}
	return nil
}
