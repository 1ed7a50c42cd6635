// Plan tells which records an organization should publish about its mail servers, in
// which steps, and proves before anything is published that they will do.
//
//	plan                                               # a demonstration, from memory, as with -adopt
//	plan -org org.yaml                                 # upon the live DNS, name by name: a partial view
//	plan -org org.yaml -zone example.org.zone          # upon a zone file, and the live DNS for the rest
//	plan -org org.yaml -axfr 192.0.2.53                # upon the zones of the description, transferred whole
//	plan -org org.yaml -format nsupdate -step prepare  # the first step, to be piped into nsupdate -l
//	plan -org org.yaml -format letter -step reverse    # what to write to the ISP
//	plan init -domain example.org -o org.yaml          # a first description, and what it could not know
//
// It publishes nothing, and writes over no file. Carry out a step, wait for the gates
// before the next, and plan again: what is done is no longer in the plan.
//
// Exit status: 0 with the plan carried out no rule fails at the threshold or above, or a
// description was written; 1 some rule will fail still, as what is kept or refused makes
// it; 2 usage, or input, DNS or output that there is no plan without; 3 none will fail,
// but something at the threshold or above could not be decided. A demonstration ends with 0
// whatever it shows.
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
	"slices"
	"strings"
	"time"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
	"github.com/bonafide-mta/bonafide/examples/internal/orgfile"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
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
       plan init -domain NAME [-ip ADDR]... [flags]
What is published now:
  -zone [ORIGIN=]FILE        a whole zone, from its file; repeatable
  -axfr [ZONE=]ADDR[:PORT]   a whole zone, by a transfer from its server; without
                             ZONE, all in the description that no -zone holds;
                             repeatable
  -server ADDR[:PORT]        ask this DNS server for other names, one by one,
                             instead of the system's
  -offline                   ask nobody: names in no whole zone are not known. For zones
                             that no server has yet
What to plan:
  -org FILE                  description of the organization, YAML or JSON. The zones it
                             lists are those that you write; without a list, all but
                             the reverse zones that no -zone or -axfr has
  -adopt                     put what is wanted in place of other SPF, CSA, contact
                             and Null MX records, which are kept without it; first
                             describe all that sends, under mail
  -deny-names                deny every name without mail in HELO by a CSA record
                             of its own
  -observed ADDR=NAME        an MTA was seen to say NAME in HELO from there; repeatable
  -observed-log FILE         the same from Received fields, or logs of Postfix and
                             Exim on another server; repeatable. What was observed
                             is not kept: say it each time
What to write:
  -format text               all steps, and the audit before and after (the default)
  -format json               the plan, for machines
  -format zone               changes as zone text
  -format nsupdate           changes as a script for nsupdate
  -format letter             what to ask of the ISP: PTR records in zones that are
                             not yours
  -step NAME|all             which step's changes, by its name; required for these
                             three, and all is for the first two
  -o FILE                    to a new file: one that exists is not touched
  -threshold LEVEL           for the exit status: must (the default), should-major,
                             should-minor, advice
  -timeout DURATION          for all of it, 1m by default
  -allow-documentation       accept names and addresses for documentation
Exit status: 0 no rule fails at the threshold with the plan carried out, 1 some does,
2 usage, input, DNS or output, 3 something there cannot be decided.
Without -org a demonstration is planned, with exit status 0 or 2. init writes a first description, to be
completed: -zone, -axfr, -server, -offline, -o and -timeout are as above, and each -ip
is an address of an MTA.
`

// options is what the flags say.
type options struct {
	source
	orgFile            string
	plan               plan.Options
	logs               []string
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
	fs.BoolVar(&o.plan.Adopt, "adopt", false, "")
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
	if err := command.ParseAll(fs, args, usage, stdout); err != nil {
		return nil, err
	}
	return o, o.check()
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
	// Numbers change as steps are done: a name is a name.
	if o.step != "" && o.step != "all" && new(plan.Stage).UnmarshalText([]byte(o.step)) != nil {
		return fmt.Errorf("-step %q: expected all, or the name of a step, as the text of the plan has it", o.step)
	}
	if o.step == "all" && o.format == "letter" {
		return errors.New("-step all: what the ISP is to add and to take away are two letters, at their times: -step reverse, later -step lock")
	}
	return o.source.check()
}

// makePlan plans, proves, and writes what is asked for.
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
	if err := o.observe(described, stderr); err != nil {
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
	proof, err := audit.Auditor{Resolver: now.live, AllowDocumentation: o.allowDocumentation}.Prove(ctx, p)
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

// observe adds what logs say to what the MTAs were observed to say. The clients of
// the server that wrote a log are many: those that are not described are passed over.
func (o *options) observe(described *org.Organization, stderr io.Writer) error {
	sending := make(map[netip.Addr]bool)
	for _, m := range described.MTAs {
		for _, addr := range m.Addresses {
			sending[addr.Unmap()] = sending[addr.Unmap()] || m.Sends()
		}
	}
	for _, file := range o.logs {
		found := 0
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		for seen, err := range flow.Observations(f) {
			if err != nil {
				return fmt.Errorf("-observed-log %s: %s", file, strings.TrimPrefix(err.Error(), "plan: "))
			}
			if !sending[seen.Addr] {
				continue
			}
			found++
			if before := o.plan.Observed[seen.Addr]; before != "" && !strings.EqualFold(before, seen.Helo) {
				return fmt.Errorf("%s:%d: %s greets with %q here, and with %q elsewhere: expected what was written since the MTA was told, and of each mail the topmost Received field only", file, seen.Line, seen.Addr, seen.Helo, before)
			}
			o.plan.Observed[seen.Addr] = seen.Helo
		}
		if found == 0 {
			fmt.Fprintf(stderr, "plan: warning: %s has no HELO of an MTA that is described: expected Received fields, or lines with H= of Exim's log, or with helo= of Postfix's\n", file)
		}
	}
	return nil
}

// write writes what -format says.
func (o *options) write(ctx context.Context, w, stderr io.Writer, p *plan.Plan, proof *report.Proof, now *published) error {
	switch o.format {
	case "json":
		return p.WriteJSON(w)
	case "text":
		if err := p.WriteText(w); err != nil {
			return err
		}
		if err := gates(ctx, w, p, now); err != nil {
			return err
		}
		fmt.Fprintln(w)
		return proof.WriteText(w)
	}
	changes, err := o.changes(p, stderr)
	if err != nil {
		return err
	}
	switch o.format {
	case "zone":
		return plan.WriteZone(w, changes)
	case "nsupdate":
		return plan.WriteUpdate(w, changes)
	default:
		return plan.WriteLetter(w, changes)
	}
}

// changes returns those of the step that -step names, and warns of what comes before it,
// and of what the format leaves out.
func (o *options) changes(p *plan.Plan, stderr io.Writer) ([]plan.Change, error) {
	say := func(format string, args ...any) { fmt.Fprintf(stderr, "plan: "+format+"\n", args...) }
	i := slices.IndexFunc(p.Steps, func(s plan.Step) bool { return strings.EqualFold(s.Stage.String(), o.step) })
	changes, before := p.Changes, p.Steps
	switch {
	case i >= 0:
		changes, before = p.Steps[i].Changes, p.Steps[:i]
		if len(before) > 0 {
			say("warning: before %s come %s: see that all of it is done, and that the gates are passed", o.step, stages(before))
		}
	case o.step != "all":
		say("there is nothing to do in step %s", strings.ToLower(o.step))
		return nil, nil
	case slices.ContainsFunc(before, plan.Step.Gate):
		say("warning: these are steps with gates between them, %s: made at once, they may turn mail away", stages(before))
	}
	yours, isps := 0, 0
	for _, c := range changes {
		if c.Owner == plan.OwnerISP {
			isps++
		} else {
			yours++
		}
	}
	switch letter := o.format == "letter"; {
	case yours+isps == 0:
		say("step %s changes no records", o.step)
	case letter && isps == 0:
		say("step %s asks nothing of the ISP: it is all yours to write, by the zones of the description", o.step)
	case letter && yours > 0:
		say("step %s has changes of your own, too: -format zone or nsupdate", o.step)
	case !letter && yours == 0:
		say("step %s is for the ISP to make: -format letter", o.step)
	case !letter && isps > 0:
		say("step %s has a part for the ISP, too: -format letter", o.step)
	}
	return changes, nil
}

// stages names steps.
func stages(steps []plan.Step) string {
	var names []string
	for _, s := range steps {
		name := s.Stage.String()
		if s.Gate() {
			name += " (a gate)"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// gates tells of the gates that DNS knows about whether they are passed.
func gates(ctx context.Context, w io.Writer, p *plan.Plan, now *published) error {
	for i, s := range p.Steps {
		if s.Stage != plan.Confirm {
			continue
		}
		state := "nobody was asked (-offline)"
		if now.asked != nil {
			state = "by what DNS says now, whatever zone files are given: passed"
			if waiting := s.Waiting(ctx, identity.Verifier{Resolver: now.asked}); len(waiting) > 0 {
				state = "by what DNS says now, whatever zone files are given, it waits for\n   " + strings.Join(waiting, "\n   ")
			}
		}
		if _, err := fmt.Fprintf(w, "\nGate %d, %s: %s\n", i+1, s.Stage, state); err != nil {
			return err
		}
	}
	return nil
}
