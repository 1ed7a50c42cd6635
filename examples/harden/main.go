// Harden declares that the names of a zone that have nothing to do with mail neither send
// nor receive it: it writes null SPF and Null MX records to append to the zone.
//
//	harden                                          # a demonstration, from memory
//	harden -zone example.org.zone                   # a zone file, before it is published
//	harden -zone example.org.zone -org org.yaml     # leaves names of MTAs and mail domains to the plan
//	harden -axfr example.org=192.0.2.53 -o additions.zone
//
// Comments list the names it leaves alone, each with the reason and the way out, what zones
// cannot show, and what to check before you publish: names of machines, whose programs may
// send mail as root@ the name. It hardens nothing in a zone that it cannot read whole.
//
// Exit status: 0 the additions were written, even if there are none; 2 bad flags, or what
// it cannot read or write.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
	"github.com/bonafide-mta/bonafide/examples/internal/dnssource"
	"github.com/bonafide-mta/bonafide/examples/internal/orgfile"
	"github.com/bonafide-mta/bonafide/identity/harden"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/resolver"
)

//go:embed demo.zone
var demoZone string

func main() {
	command.Main("harden", func(ctx context.Context, args []string, stdout io.Writer) error {
		return run(ctx, args, stdout, os.Stderr)
	})
}

const usage = `usage: harden [flags]
  -zone [ORIGIN=]FILE       a zone file; repeatable
  -axfr ZONE=ADDR[:PORT]    a zone, by a transfer from its server; repeatable
  -org FILE                 description of the organization, YAML or JSON
  -deny                     deny each name in HELO too, by a CSA record
  -all                      list all names that are left alone, not only 10 of each kind
  -o FILE                   write to this file, which must not exist
Hardens host names and wildcards that have an address. Names that seem to send or receive
mail are left alone, with the reason. Records that have to wait until a mail server uses
another name are comments.
Without a zone, a demonstration is hardened.
Exit status: 0 success; 2 bad flags, input or output, and nothing is written.
`

// options holds the values of the flags.
type options struct {
	zones     []string // as dnssource.ReadZones takes them
	transfers []string // ZONE=SERVER
	orgFile   string
	deny      bool
	all       bool
	out       string
}

// run is main with its surroundings as arguments.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	fs := command.NewFlags("harden")
	command.Strings(fs, "zone", &o.zones)
	command.Strings(fs, "axfr", &o.transfers)
	fs.StringVar(&o.orgFile, "org", "", "")
	fs.BoolVar(&o.deny, "deny", false, "")
	fs.BoolVar(&o.all, "all", false, "")
	fs.StringVar(&o.out, "o", "", "")
	if err := command.ParseAll(fs, args, usage, stdout); err != nil {
		return err
	}
	if o.orgFile != "" && len(o.zones)+len(o.transfers) == 0 {
		return errors.New("-org without -zone or -axfr: which zones are to be hardened?")
	}
	if err := command.CheckNew(o.out); err != nil {
		return err
	}
	p := newProgress(stderr)
	defer p.clear()
	h, err := o.harden(ctx, p)
	if err != nil {
		return err
	}
	h.DenyNames, h.ListAll = o.deny, o.all
	p.show("writing the additions for %d names", len(h.Names))
	if o.out == "" {
		p.clear() // standard output may be the same terminal
	}
	return command.WriteNew(o.out, stdout, h.WriteZone)
}

// harden reads the organization and the zones whole before anything is written.
func (o *options) harden(ctx context.Context, p *progress) (*harden.Hardening, error) {
	var described *org.Organization
	if o.orgFile != "" {
		var err error
		if described, err = orgfile.Read(o.orgFile); err != nil {
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
		transfer, err := dnssource.ParseTransfer(arg)
		switch {
		case err != nil:
			return nil, err
		case transfer.Zone == "":
			return nil, fmt.Errorf("-axfr %s: expected ZONE=ADDR[:PORT]", arg)
		case slices.Contains(seen, transfer.Zone):
			return nil, fmt.Errorf("-axfr %s: zone %s is given twice", arg, transfer.Zone)
		}
		seen = append(seen, transfer.Zone)
		sources = append(sources, transfer.Records(ctx))
	}
	return harden.Zones(p.counted(ctx, sources), described)
}

// readZones reads the zone files, or the demonstration.
func (o *options) readZones(p *progress) (*resolver.Zones, error) {
	if len(o.zones)+len(o.transfers) == 0 {
		return resolver.ReadZone("", "demo.zone", strings.NewReader(demoZone))
	}
	if len(o.zones) > 0 {
		p.show("reading %s", strings.Join(o.zones, ", "))
	}
	return dnssource.ReadZones(o.zones...)
}
