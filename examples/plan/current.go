package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
	"github.com/bonafide-mta/bonafide/examples/internal/demo"
	"github.com/bonafide-mta/bonafide/examples/internal/dnssource"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/resolver"
)

// source is what the flags say about where to read the published records, and where to write.
type source struct {
	dns       dnssource.Flags
	transfers []string // as dnssource.ParseTransfer takes them
	offline   bool
	out       string
	timeout   time.Duration
}

func (s *source) register(fs *flag.FlagSet) {
	s.dns.Register(fs, "server")
	command.Strings(fs, "axfr", &s.transfers)
	fs.BoolVar(&s.offline, "offline", false, "")
	fs.StringVar(&s.out, "o", "", "")
	command.Timeout(fs, &s.timeout, time.Minute)
}

// given reports whether the flags name a source.
func (s *source) given() bool {
	return len(s.dns.Zones)+len(s.transfers) > 0 || s.dns.Server != "" || s.offline
}

// check finds flags that do not go together.
func (s *source) check() error {
	switch {
	case s.offline && (s.dns.Server != "" || len(s.transfers) > 0):
		return errors.New("-offline and -server or -axfr: is somebody to be asked or not?")
	case s.offline && len(s.dns.Zones) == 0:
		return errors.New("-offline without -zone: nothing is known then")
	}
	return command.CheckNew(s.out)
}

// published holds the records that are published now.
type published struct {
	records   []dns.RR          // of whole zones
	resolver  resolver.Resolver // for names outside of them; nil with -offline
	answering resolver.Resolver // the same; with -offline, one that answers errOffline
}

// errOffline is the reason for no answer.
var errOffline = fmt.Errorf("%w given, and nobody is asked with -offline", resolver.ErrNoZone)

// read reads the whole zones, and opens the resolver for all other names. A transfer that
// names no zone is of the given zones.
func (s *source) read(ctx context.Context, zones []string, stderr io.Writer) (*published, error) {
	files, err := dnssource.ReadZones(s.dns.Zones...)
	if err != nil {
		return nil, err
	}
	for _, warning := range files.Warnings() {
		fmt.Fprintf(stderr, "plan: warning: %v\n", warning)
	}
	now := &published{records: collect(files)}
	for _, rr := range now.records {
		// Package resolver makes this up for a text without a SOA.
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
	if s.offline {
		now.answering = resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) { return resolver.Answer{}, errOffline })
		return now, nil
	}
	client, err := s.dns.Live()
	if err != nil {
		return nil, err
	}
	now.resolver = &resolver.Cache{Resolver: client} // the audits before and after ask mostly the same
	now.answering = now.resolver
	return now, nil
}

func collect(zones *resolver.Zones) []dns.RR {
	var records []dns.RR
	for rr := range zones.Records() {
		records = append(records, rr)
	}
	return records
}

// transfer transfers the zone that an -axfr names, or all zones except those that are there.
func transfer(ctx context.Context, arg string, zones, there []string) (records []dns.RR, apexes []string, err error) {
	t, err := dnssource.ParseTransfer(arg)
	switch {
	case err != nil:
		return nil, nil, err
	case t.Zone == "":
		apexes = slices.DeleteFunc(slices.Clone(zones), func(zone string) bool { return slices.Contains(there, zone) })
		if len(apexes) == 0 {
			return nil, nil, fmt.Errorf("-axfr %s: of which zone? expected zones in the description, or -axfr ZONE=%s", arg, arg)
		}
	case slices.Contains(there, t.Zone):
		return nil, nil, fmt.Errorf("-axfr %s: zone %s is given twice", arg, t.Zone)
	default:
		apexes = []string{t.Zone}
	}
	for _, apex := range apexes {
		t.Zone = apex
		for rr, err := range t.Records(ctx) {
			if err != nil {
				return nil, nil, err
			}
			records = append(records, rr)
		}
	}
	return records, apexes, nil
}

// current returns the published records for a plan.
func (p *published) current(ctx context.Context, described *org.Organization) (*plan.Published, error) {
	whole, err := plan.FromZones(resolver.SeqOf(p.records...))
	if err != nil || p.resolver == nil {
		return whole, err
	}
	return whole.WithAnswers(ctx, p.resolver, described)
}

// demonstration returns what is published in the demonstration.
func demonstration() (*published, error) {
	zones, err := demo.Read(demo.OrganizationZone)
	if err != nil {
		return nil, err
	}
	return &published{records: collect(zones), resolver: zones, answering: zones}, nil
}

// save writes to the file of -o, or to standard output.
func (s *source) save(text io.WriterTo, stdout io.Writer) error {
	return command.WriteNew(s.out, stdout, func(w io.Writer) error {
		_, err := text.WriteTo(w)
		return err
	})
}
