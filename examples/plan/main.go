// Plan lists the records an organization should publish about its mail servers, in steps,
// and proves before anything is published that the audit will pass.
//
//	plan                                               # a demonstration, from memory, as with -adopt
//	plan -org org.yaml                                 # from the live DNS, name by name: a partial view
//	plan -org org.yaml -zone example.org.zone          # from a zone file, and the live DNS for the rest
//	plan -org org.yaml -axfr 192.0.2.53                # from the zones of the description, transferred whole
//	plan -org org.yaml -format nsupdate -step prepare  # the first step, for nsupdate -l
//	plan -org org.yaml -format letter -step reverse    # the letter to the ISP
//	plan init -domain example.org -o org.yaml          # a first description, to be completed
//	plan init -domain example.org -domain example.net  # with a second domain of the organization
//
// It publishes nothing and overwrites no file. Carry out a step, wait as long as it
// says and for the gates before the next, and plan again: finished steps are no longer in the
// plan. After -adopt, the notes list whom the SPF records authorize no longer.
//
// Exit status: 0 no rule fails at the threshold or above once the plan is carried out, or a
// description was written; 1 a rule will still fail, because of records that are kept or
// refused; 2 bad flags, input, DNS or output, so that there is no plan; 3 no rule will
// fail, but one at the threshold or above could not be decided. The demonstration ends
// with 0 whatever it shows.
package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
	"github.com/bonafide-mta/bonafide/examples/internal/orgfile"
	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver"
)

//go:embed demo.yaml
var demoOrg []byte

func main() { command.MainStatus(run) }

// run is main with its surroundings as arguments; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	subcommand := makePlan
	if len(args) > 0 && args[0] == "init" {
		subcommand, args = describe, args[1:]
	}
	status, err := subcommand(ctx, args, stdout, stderr)
	return command.Status("plan", status, err, stderr)
}

const usage = `usage: plan [flags]
       plan init -domain NAME... [-ip ADDR]... [flags]
What is published now:
  -zone [ORIGIN=]FILE        a whole zone, from its file; repeatable
  -axfr [ZONE=]ADDR[:PORT]   a whole zone, by a transfer from its server; without
                             ZONE, all zones in the description without a -zone;
                             repeatable
  -server ADDR[:PORT]        ask this DNS server for other names, one by one,
                             instead of those of the system
  -offline                   ask no server: names outside the whole zones are unknown.
                             For zones that are not on any server yet
What to plan:
  -org FILE                  description of the organization, YAML or JSON. You edit
                             the zones it lists; without a list, all except the
                             reverse zones without a -zone or -axfr
  -adopt [NAME,...]          replace other SPF, CSA, contact and Null MX records,
                             of these names or of all; without it they are kept;
                             repeatable. First describe every sender, under mail:
                             the notes have whom SPF authorizes no longer
  -deny-names                deny every name without mail in HELO by a CSA record
                             of its own
  -observed ADDR=NAME        an MTA used NAME in HELO from ADDR; repeatable. At an
                             address that is not described it counts as mail, too
  -observed-log FILE         the same of described MTAs, from a log of Exim or Postfix
                             on another server, or from mail that it took: of each
                             message in FILE, the topmost Received field; repeatable.
                             Observations are not kept: give them each time
  -observed-by HOST          of each message, the topmost Received field by HOST
                             instead: the host that takes your mail from the outside;
                             repeatable
What to write:
  -format text               all steps, and the audit before and after (the default)
  -format json               the plan, for machines
  -format zone               changes as zone text
  -format nsupdate           changes as a script for nsupdate
  -format letter             a letter to the ISP about PTR records in zones that you
                             do not edit
  -step NAME|all             the step whose changes to write, by its name; required
                             for zone, nsupdate and letter. A letter has no all
  -o FILE                    write to this file, which must not exist
  -threshold LEVEL           for the exit status: must (the default), should-major,
                             should-minor, advice
  -timeout DURATION          for everything, 1m by default
  -allow-documentation       accept names and addresses for documentation
Exit status: 0 no rule fails at the threshold once the plan is carried out, 1 a rule does,
2 flags, input, DNS or output, 3 a rule there cannot be decided.
Without -org a demonstration is planned, with exit status 0 or 2. init writes a first
description to complete; it has -zone, -axfr, -server, -offline, -o and -timeout as above.
Its first -domain is that of the organization; each other one is a mail domain, a
subdomain or a domain of its own. Each -ip is an address of an MTA.
`

// options holds the values of the flags.
type options struct {
	source
	orgFile            string
	plan               plan.Options
	logs, receivers    []string
	format             string
	step               string // "" for none; all; a stage
	threshold          rule.Level
	allowDocumentation bool
}

func parseFlags(args []string, stdout io.Writer) (*options, error) {
	o := &options{threshold: rule.Must}
	o.plan.Observed = make(map[netip.Addr]string)
	fs := command.NewFlags("plan")
	o.source.register(fs)
	fs.Func("org", "", func(value string) error {
		if o.orgFile != "" {
			return fmt.Errorf("%s is given already: a plan is of one organization", o.orgFile)
		}
		o.orgFile = value
		return nil
	})
	fs.BoolFunc("adopt", "", o.adopt)
	fs.BoolVar(&o.plan.DenyNames, "deny-names", false, "")
	fs.StringVar(&o.format, "format", "text", "")
	fs.StringVar(&o.step, "step", "", "")
	fs.TextVar(&o.threshold, "threshold", rule.Must, "")
	fs.BoolVar(&o.allowDocumentation, "allow-documentation", false, "")
	fs.Func("observed", "", func(value string) error {
		text, name, ok := strings.Cut(value, "=")
		addr, err := netip.ParseAddr(text)
		if !ok || err != nil || name == "" {
			return errors.New("expected an address and a name, as 192.0.2.10=post.example.org")
		}
		if before := o.plan.Observed[addr.Unmap()]; before != "" && !strings.EqualFold(before, name) {
			return fmt.Errorf("%s was observed to say %q already: expected what it says now", addr, before)
		}
		o.plan.Observed[addr.Unmap()] = name
		return nil
	})
	command.Strings(fs, "observed-log", &o.logs)
	command.Strings(fs, "observed-by", &o.receivers)
	if err := command.ParseAll(fs, joinAdopt(args), usage, stdout); err != nil {
		return nil, err
	}
	return o, o.check()
}

// joinAdopt returns args with "-adopt NAME" as one argument. Package flag has no values that
// may be missing, and the program has no arguments that are not flags.
func joinAdopt(args []string) []string {
	var out []string
	for _, arg := range args {
		if n := len(out); n > 0 && (out[n-1] == "-adopt" || out[n-1] == "--adopt") && !strings.HasPrefix(arg, "-") {
			arg, out = "-adopt="+arg, out[:n-1]
		}
		out = append(out, arg)
	}
	return out
}

// adopt reads a value of -adopt: "true" without one.
func (o *options) adopt(value string) error {
	if value == "true" || value == "false" {
		o.plan.Adopt = value == "true"
		return nil
	}
	for name := range strings.SplitSeq(value, ",") {
		name, err := resolver.Canonical(name)
		if err != nil {
			return fmt.Errorf("expected names separated by commas, or none for all: %w", err)
		}
		o.plan.AdoptNames = append(o.plan.AdoptNames, name)
	}
	return nil
}

// check finds flags that do not go together.
func (o *options) check() error {
	stepwise := false
	switch o.format {
	case "text", "json":
	case "zone", "nsupdate", "letter":
		stepwise = true
	default:
		return fmt.Errorf("-format %q: expected text, json, zone, nsupdate or letter", o.format)
	}
	switch {
	case o.orgFile == "" && o.source.given():
		return errors.New("-zone, -axfr, -server or -offline without -org: whose mail servers are to be planned?")
	case stepwise && o.step == "":
		return fmt.Errorf("-format %s without -step: expected a step, so that the gates before it are not run past, or -step all", o.format)
	case !stepwise && o.step != "":
		return fmt.Errorf("-step goes with -format zone, nsupdate or letter, not with %s", o.format)
	}
	// By name: the numbers of steps change as steps are done.
	if o.step != "" && o.step != "all" && new(plan.Stage).UnmarshalText([]byte(o.step)) != nil {
		return fmt.Errorf("-step %q: expected all, or the name of a step, as the text of the plan has it", o.step)
	}
	if o.step == "all" && o.format == "letter" {
		return errors.New("-step all: what the ISP is to add and to take away are two letters, at their times: -step reverse, later -step lock")
	}
	return o.source.check()
}

// makePlan plans, proves, and writes in the format of the flags.
func makePlan(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	o, err := parseFlags(args, stdout)
	if err != nil {
		return 2, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("it took longer than -timeout %v", o.timeout))
	defer cancel()
	described, now, err := o.load(ctx, stderr)
	if err != nil {
		return 2, err
	}
	if err := o.observe(ctx, described, stderr); err != nil {
		return 2, err
	}
	current, err := now.current(ctx, described)
	if err != nil {
		return 2, err
	}
	p, err := plan.New(described.At(time.Now()), current, o.plan)
	if err != nil {
		return 2, err
	}
	for _, name := range o.plan.AdoptNames {
		if !slices.ContainsFunc(p.Wanted, func(r rule.Record) bool { return strings.EqualFold(r.RR.Header().Name, name) }) {
			fmt.Fprintf(stderr, "plan: warning: -adopt %s: the plan wants no records there\n", strings.TrimSuffix(name, "."))
		}
	}
	proof, err := audit.Auditor{Resolver: now.answering, AllowDocumentation: o.allowDocumentation}.Prove(ctx, p)
	if err != nil {
		return 2, errors.New(strings.TrimPrefix(err.Error(), "audit: "))
	}
	var text bytes.Buffer
	if err := o.write(ctx, &text, stderr, p, proof, now); err != nil {
		return 2, err
	}
	if err := o.save(&text, stdout); err != nil {
		return 2, err
	}
	switch {
	case o.orgFile == "":
		return 0, nil // a demonstration shows failures, it is not one
	case proof.After.Failed(o.threshold):
		return 1, nil
	case proof.After.Undecided(o.threshold):
		return 3, nil
	}
	return 0, nil
}

// load reads the description, and what is published now.
func (o *options) load(ctx context.Context, stderr io.Writer) (*org.Organization, *published, error) {
	if o.orgFile == "" {
		o.allowDocumentation, o.plan.Adopt, o.offline = true, true, true
		described, err := org.Parse("demo.yaml", demoOrg)
		if err != nil {
			return nil, nil, err
		}
		now, err := demonstration()
		return described, now, err
	}
	described, err := orgfile.Read(o.orgFile)
	if err != nil {
		return nil, nil, err
	}
	now, err := o.source.read(ctx, described.Zones, stderr)
	return described, now, err
}

// observe adds the HELO names in logs to those of the flags. A log has many clients:
// those that are not described are ignored. A line that a client may have forged is skipped.
func (o *options) observe(ctx context.Context, described *org.Organization, stderr io.Writer) error {
	sending := make(map[netip.Addr]bool)
	for _, m := range described.MTAs {
		for _, addr := range m.Addresses {
			sending[addr.Unmap()] = sending[addr.Unmap()] || m.Sends()
		}
	}
	for _, file := range o.logs {
		if err := o.observeLog(ctx, file, sending, stderr); err != nil {
			return err
		}
	}
	return nil
}

// observeLog reads one log, of the clients that send for the organization. It may be a pipe
// that never ends: the end of ctx closes it.
func (o *options) observeLog(ctx context.Context, file string, sending map[netip.Addr]bool, stderr io.Writer) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	defer context.AfterFunc(ctx, func() { f.Close() })()
	found, skipped, first := 0, 0, 0
	for seen, err := range flow.Observations(f, o.receivers...) {
		if errors.Is(err, flow.ErrAmbiguous) {
			if skipped++; skipped == 1 {
				first = seen.Line
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("-observed-log %s: %s", file, strings.TrimPrefix(cmp.Or(context.Cause(ctx), err).Error(), "flow: "))
		}
		if !sending[seen.Addr] {
			continue
		}
		found++
		if before := o.plan.Observed[seen.Addr]; before != "" && !strings.EqualFold(before, seen.Helo) {
			return fmt.Errorf("%s:%d: %s used %q in HELO here, and %q elsewhere: expected only lines since its HELO name was set", file, seen.Line, seen.Addr, seen.Helo, before)
		}
		o.plan.Observed[seen.Addr] = seen.Helo
	}
	if skipped > 0 {
		fmt.Fprintf(stderr, "plan: warning: %s: lines skipped that have two readings: %d, the first is line %d; a client may have written part of them\n", file, skipped, first)
	}
	if found == 0 {
		fmt.Fprintf(stderr, "plan: warning: %s has no HELO of an MTA that is described: expected mail, or a log of Exim or Postfix\n", file)
	}
	return nil
}
