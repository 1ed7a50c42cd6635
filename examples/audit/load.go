package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/bonafide-mta/bonafide/examples/internal/demo"
	"github.com/bonafide-mta/bonafide/examples/internal/dnssource"
	"github.com/bonafide-mta/bonafide/examples/internal/orgfile"
	"github.com/bonafide-mta/bonafide/identity/harden"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/suffix"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A description is an organization to audit, or the reason why it cannot be audited.
type description struct {
	source string // its file, or its domain
	org    *org.Organization
	err    error
}

// describe reads what the flags describe.
func (o *options) describe() []description {
	switch {
	case len(o.orgs) > 0:
		o.several = len(o.orgs) > 1
		var all []description
		for _, path := range o.orgs {
			files, err := o.files(path)
			if err != nil {
				all = append(all, description{source: path, err: err})
			}
			for _, file := range files {
				described, err := orgfile.Read(file)
				all = append(all, description{file, described, err})
			}
		}
		return all
	case o.org.Domain != "":
		return []description{{o.org.Domain, &o.org, o.org.Validate()}}
	}
	o.allowDocumentation = true
	described, err := org.Parse("demo.yaml", demoOrg)
	return []description{{"demo.yaml", described, err}}
}

// demonstrates reports whether the flags describe nothing, so a demonstration is audited.
func (o *options) demonstrates() bool { return len(o.orgs) == 0 && !o.describes() }

// describes reports whether flags describe an organization.
func (o *options) describes() bool { return o.org.Domain != "" || len(o.org.MTAs) > 0 }

// files returns the descriptions of a directory, or the file itself.
func (o *options) files(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	o.several = o.several || info.IsDir()
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path) // sorted
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		switch filepath.Ext(entry.Name()) {
		case ".yaml", ".yml", ".json":
			files = append(files, filepath.Join(path, entry.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no description in the directory: expected files *.yaml, *.yml or *.json", path)
	}
	return files, nil
}

// resolver returns the zone files, the server, or the system's resolvers. Answers of
// servers are cached: organizations share providers.
func (o *options) resolver(descriptions []description, stderr io.Writer) (resolver.Resolver, error) {
	switch {
	case len(o.dns.Zones) > 0:
		return o.readZones(descriptions, stderr)
	case o.demonstrates():
		return demo.Read(demo.OrganizationZone)
	}
	return o.dns.Open()
}

// readZones reads the zone files and prints their warnings. It adds names of the zones
// that have nothing to do with mail to descriptions without names.
func (o *options) readZones(descriptions []description, stderr io.Writer) (resolver.Resolver, error) {
	zones, err := dnssource.ReadZones(o.dns.Zones...)
	if err != nil {
		return nil, err
	}
	for _, warning := range zones.Warnings() {
		fmt.Fprintf(stderr, "audit: warning: %v\n", warning)
	}
	if err := addNamesWithoutMail(zones, descriptions); err != nil {
		return nil, err
	}
	return resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		response := resolver.Ask(ctx, zones, name, qtype)
		if errors.Is(response.Err, resolver.ErrNoZone) {
			response.Err = fmt.Errorf("%w (give its zone with another -zone)", response.Err)
		}
		return response.Answer, response.Err
	}), nil
}

// addNamesWithoutMail reads the zones once, however many organizations there are.
func addNamesWithoutMail(zones *resolver.Zones, descriptions []description) error {
	if len(descriptions) == 1 && descriptions[0].err == nil && len(descriptions[0].org.Names) > 0 {
		return nil
	}
	var one *org.Organization
	if len(descriptions) == 1 {
		one = descriptions[0].org
	}
	h, err := harden.Zones(zones.Records(), one)
	if err != nil {
		return err
	}
	if one != nil {
		one.Names = h.Names
		return nil
	}
	used := make(map[string]bool) // for mail, by any of the organizations
	for _, d := range descriptions {
		if d.err != nil {
			continue
		}
		for _, m := range d.org.MTAs {
			helo, _ := resolver.Canonical(m.Helo)
			used[helo], used[m.PTR] = true, true
		}
		for _, mail := range d.org.MailDomains() {
			used[mail.Domain] = true
		}
	}
	registered := make(map[string][]string) // names, by the domain that a registry has sold
	for _, name := range h.Names {
		if domain := suffix.Registered(name); !used[name] {
			registered[domain] = append(registered[domain], name)
		}
	}
	for _, d := range descriptions {
		if d.err == nil && len(d.org.Names) == 0 {
			d.org.Names = ownedOf(d.org, registered)
		}
	}
	return nil
}

// ownedOf returns the names that an organization owns, of names by their registered domain.
func ownedOf(o *org.Organization, registered map[string][]string) []string {
	domains := []string{o.Domain}
	for _, mail := range o.Mail {
		domains = append(domains, mail.Domain)
	}
	domains = append(domains, o.Zones...)
	for i, domain := range domains {
		domains[i] = suffix.Registered(domain)
	}
	slices.Sort(domains)
	owns := o.OwnsFunc()
	var names []string
	for _, domain := range slices.Compact(domains) {
		for _, name := range registered[domain] {
			if owns(name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// name returns the domain of the organization, else the source of the description.
func (d description) name() string {
	if d.org == nil {
		return d.source
	}
	return cmp.Or(d.org.Domain, d.source)
}
