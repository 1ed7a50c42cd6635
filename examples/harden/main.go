// Harden says of every name of a zone that has nothing to do with mail that it has not:
// by a null SPF record and a Null MX, as zone text to be put below that of the zone.
//
//	harden                                          # a demonstration, from memory
//	harden -zone example.org.zone                   # a zone file, before it is published
//	harden -zone example.org.zone -org org.yaml     # names of MTAs and mail domains are left to the plan
//	harden -axfr example.org=192.0.2.53 -o additions.zone
//
// Names that are left alone stand in comments with the reason, and so does what is to
// be looked at before the text is published: names of machines, whose programs may send
// mail as root@ them. A zone that cannot be read whole is not hardened at all.
//
// Exit status: 0 the additions were written, even if there are none; 2 usage, input that
// cannot be read, or output that cannot be written.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/harden"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/resolver"
)

//go:embed demo.zone
var demoZone string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		// A file's errors stand on lines of their own, each with its position.
		fmt.Fprintf(os.Stderr, "harden: %v\n", err)
		os.Exit(2)
	}
}

const usage = `usage: harden [flags]
  -zone [ORIGIN=]FILE       a zone file; repeatable
  -axfr ZONE=ADDR[:PORT]    a zone, by a transfer from its server; repeatable
  -org FILE                 description of the organization, YAML or JSON
  -deny                     deny each name in HELO too, by a CSA record
  -o FILE                   write there, not on standard output; it must not exist
Hardened are host names with an address, and wildcards with one; what mail seems to come
from or go to is left alone, with the reason.
Exit status: 0, or 2 for usage, input or output; then nothing was written.
Without a zone, a demonstration is hardened.
`

// options is what the flags say.
type options struct {
	zones     []string // as resolver.ReadZoneFiles takes them
	transfers []string // ZONE=SERVER
	orgFile   string
	deny      bool
	out       string
}

// run is main with its surroundings as arguments.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	fs := flag.NewFlagSet("harden", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the error comes back, and is printed once
	for name, list := range map[string]*[]string{"zone": &o.zones, "axfr": &o.transfers} {
		fs.Func(name, "", func(value string) error {
			*list = append(*list, value)
			return nil
		})
	}
	fs.StringVar(&o.orgFile, "org", "", "")
	fs.BoolVar(&o.deny, "deny", false, "")
	fs.StringVar(&o.out, "o", "", "")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return nil
	case err != nil:
		return fmt.Errorf("%w (-h lists the flags)", err)
	case fs.NArg() > 0:
		return fmt.Errorf("unexpected argument %q (-h lists the flags)", fs.Arg(0))
	}
	if o.orgFile != "" && len(o.zones)+len(o.transfers) == 0 {
		return errors.New("-org without -zone or -axfr: which zones are to be hardened?")
	}
	if o.out != "" { // said before the work, too
		if _, err := os.Lstat(o.out); err == nil {
			return fmt.Errorf("-o %s: it exists, and nothing is written over", o.out)
		}
	}
	p := newProgress(stderr)
	defer p.clear()
	h, err := o.harden(ctx, p)
	if err != nil {
		return err
	}
	h.DenyNames = o.deny
	p.say("writing the additions for %d names", len(h.Names))
	if o.out == "" {
		p.clear() // it may be the same terminal
		return h.WriteZone(stdout)
	}
	return writeNew(o.out, h.WriteZone)
}

// harden reads the organization and the zones, all of them before it writes anything.
func (o *options) harden(ctx context.Context, p *progress) (*harden.Hardening, error) {
	var described *org.Organization
	if o.orgFile != "" {
		text, err := os.ReadFile(o.orgFile)
		if err != nil {
			return nil, err
		}
		if described, err = org.Parse(o.orgFile, text); err != nil {
			return nil, err
		}
	}
	zones, err := o.readZones(p)
	if err != nil {
		return nil, err
	}
	for _, w := range zones.Warnings() {
		p.warn(w)
	}
	sources := []iter.Seq2[dns.RR, error]{zones.Records()}
	seen := zones.Origins()
	for _, arg := range o.transfers {
		name, at, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, fmt.Errorf("-axfr %s: expected ZONE=ADDR[:PORT]", arg)
		}
		apex, err := resolver.Canonical(name)
		if err != nil {
			return nil, fmt.Errorf("-axfr %s: %w", arg, err)
		}
		var server netip.AddrPort
		if server, err = resolver.ParseServer(at); err != nil {
			return nil, fmt.Errorf("-axfr %s: %w", arg, err)
		}
		if slices.Contains(seen, apex) {
			return nil, fmt.Errorf("-axfr %s: zone %s is given twice", arg, apex)
		}
		seen = append(seen, apex)
		sources = append(sources, resolver.Transfer(ctx, server, apex))
	}
	return harden.Zones(p.count(ctx, sources), described)
}

// readZones reads the zone files, or the demonstration.
func (o *options) readZones(p *progress) (*resolver.Zones, error) {
	if len(o.zones)+len(o.transfers) == 0 {
		return resolver.ReadZone("", "demo.zone", strings.NewReader(demoZone))
	}
	if len(o.zones) > 0 {
		p.say("reading %s", strings.Join(o.zones, ", "))
	}
	return resolver.ReadZoneFiles(o.zones...)
}

// writeNew writes a file that does not exist yet, whole or not at all.
func writeNew(file string, write func(io.Writer) error) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	err = write(f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		os.Remove(file)
	}
	return err
}
