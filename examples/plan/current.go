package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/resolver"
)

// source is what the flags say of where to learn what is published, and where to write.
type source struct {
	zones     []string // as resolver.ReadZoneFiles takes them
	transfers []string // SERVER or ZONE=SERVER
	server    string
	offline   bool
	out       string
	timeout   time.Duration
}

func (s *source) flags(fs *flag.FlagSet) {
	for name, list := range map[string]*[]string{"zone": &s.zones, "axfr": &s.transfers} {
		fs.Func(name, "", func(value string) error {
			*list = append(*list, value)
			return nil
		})
	}
	fs.StringVar(&s.server, "server", "", "")
	fs.BoolVar(&s.offline, "offline", false, "")
	fs.StringVar(&s.out, "o", "", "")
	s.timeout = time.Minute
	fs.Func("timeout", "", func(value string) (err error) {
		if s.timeout, err = time.ParseDuration(value); err != nil {
			return errors.New("expected a duration, such as 30s")
		}
		return nil
	})
}

// given reports whether the flags say where to learn something.
func (s *source) given() bool {
	return len(s.zones)+len(s.transfers) > 0 || s.server != "" || s.offline
}

// check finds flags that do not go together.
func (s *source) check() error {
	switch {
	case s.offline && (s.server != "" || len(s.transfers) > 0):
		return errors.New("-offline and -server or -axfr: is somebody to be asked or not?")
	case s.offline && len(s.zones) == 0:
		return errors.New("-offline without -zone: nothing is known then")
	case s.timeout <= 0:
		return fmt.Errorf("-timeout %v: expected a positive duration, such as 30s", s.timeout)
	}
	if s.out != "" { // said before the work, too
		if _, err := os.Lstat(s.out); err == nil {
			return fmt.Errorf("-o %s: it exists, and nothing is written over", s.out)
		}
	}
	return nil
}

// published is what is published now.
type published struct {
	records []dns.RR          // of whole zones
	asked   resolver.Resolver // for names outside of them; nil: nobody is asked
	live    resolver.Resolver // the same, which always answers, if only that nobody is asked
}

// errOffline is why there is no answer.
var errOffline = fmt.Errorf("%w given, and nobody is asked with -offline", resolver.ErrNoZone)

// read reads the whole zones, and opens what is asked for all others. The zones are
// those that a transfer without a name is of.
func (s *source) read(ctx context.Context, zones []string, stderr io.Writer) (*published, error) {
	files, err := resolver.ReadZoneFiles(s.zones...)
	if err != nil {
		return nil, err
	}
	for _, warning := range files.Warnings() {
		fmt.Fprintf(stderr, "plan: warning: %v\n", warning)
	}
	now := &published{records: collect(files)}
	for _, rr := range now.records {
		// What resolver makes up where a text has none.
		if soa, ok := rr.(*dns.SOA); ok && soa.Ns == "ns.invalid." {
			return nil, fmt.Errorf("zone %s has no SOA record: expected the whole zone, and no plan is made upon a part", soa.Hdr.Name)
		}
	}
	whole := files.Origins()
	for _, arg := range s.transfers {
		records, apexes, err := transfer(ctx, arg, zones, whole)
		if err != nil {
			return nil, err
		}
		now.records, whole = append(now.records, records...), append(whole, apexes...)
	}
	switch {
	case s.offline:
		now.live = resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) { return resolver.Answer{}, errOffline })
		return now, nil
	case s.server != "":
		server, err := resolver.ParseServer(s.server)
		if err != nil {
			return nil, fmt.Errorf("-server: %w", err)
		}
		now.asked = &resolver.Client{Servers: []netip.AddrPort{server}}
	default:
		client, err := resolver.SystemClient()
		if err != nil {
			return nil, err
		}
		now.asked = client
	}
	// The audits before and after ask mostly the same.
	now.asked = &resolver.Cache{Resolver: now.asked}
	now.live = now.asked
	return now, nil
}

func collect(zones *resolver.Zones) []dns.RR {
	var records []dns.RR
	for rr := range zones.Records() {
		records = append(records, rr)
	}
	return records
}

// transfer transfers the zone that an -axfr names, or all but those that are there.
func transfer(ctx context.Context, arg string, zones, there []string) (records []dns.RR, apexes []string, err error) {
	zone, address, named := strings.Cut(arg, "=")
	if named {
		apex, err := resolver.Canonical(zone)
		if err != nil {
			return nil, nil, fmt.Errorf("-axfr %s: %w", arg, err)
		}
		if slices.Contains(there, apex) {
			return nil, nil, fmt.Errorf("-axfr %s: zone %s is given twice", arg, apex)
		}
		apexes = []string{apex}
	} else {
		address = arg
		apexes = slices.DeleteFunc(slices.Clone(zones), func(zone string) bool { return slices.Contains(there, zone) })
		if len(apexes) == 0 {
			return nil, nil, fmt.Errorf("-axfr %s: of which zone? expected zones in the description, or -axfr ZONE=%s", arg, arg)
		}
	}
	server, err := resolver.ParseServer(address)
	if err != nil {
		return nil, nil, fmt.Errorf("-axfr: %w", err)
	}
	for _, apex := range apexes {
		for rr, err := range resolver.Transfer(ctx, server, apex) {
			if err != nil {
				return nil, nil, err
			}
			records = append(records, rr)
		}
	}
	return records, apexes, nil
}

// current returns what a plan is made upon.
func (p *published) current(ctx context.Context, described *org.Organization) (*plan.Published, error) {
	whole, err := plan.FromZones(resolver.SeqOf(p.records...))
	if err != nil || p.asked == nil {
		return whole, err
	}
	return whole.WithAnswers(ctx, p.asked, described)
}

// demonstration returns what is published in the demonstration.
func demonstration() (*published, error) {
	zones, err := resolver.ReadZone("", "demo.zone", strings.NewReader(demoZone))
	if err != nil {
		return nil, err
	}
	return &published{records: collect(zones), asked: zones, live: zones}, nil
}

// save writes to the file of -o, if there is one: a new one, so that no input is ever
// written over.
func (s *source) save(text []byte, stdout io.Writer) error {
	if s.out == "" {
		_, err := stdout.Write(text)
		return err
	}
	f, err := os.OpenFile(s.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("-o: %w", err)
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
