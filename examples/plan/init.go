package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
	"github.com/bonafide-mta/bonafide/identity/draft"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/resolver"
)

// describe writes a first description of an organization.
func describe(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	var s source
	var domains []string
	var addrs []netip.Addr
	fs := command.NewFlags("plan init")
	s.register(fs)
	fs.Bool("allow-documentation", false, "") // accepted as by the other commands: a description may have them anyway
	command.Strings(fs, "domain", &domains)
	fs.Func("ip", "", func(value string) error {
		addr, err := netip.ParseAddr(value)
		if err != nil {
			return errors.New("expected an IPv4 or IPv6 address")
		}
		addrs = append(addrs, addr)
		return nil
	})
	if err := command.ParseAll(fs, args, usage, stdout); err != nil {
		return 2, err
	}
	if len(domains) == 0 {
		return 2, errors.New("init without -domain: whose mail servers are to be described?")
	}
	if err := s.check(); err != nil {
		return 2, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, fmt.Errorf("it took longer than -timeout %v", s.timeout))
	defer cancel()
	text, err := s.draft(ctx, domains, addrs, stderr)
	if err != nil {
		return 2, err
	}
	if err := s.save(text, stdout); err != nil {
		return 2, err
	}
	return 0, nil
}

// draft returns the text of a description.
func (s *source) draft(ctx context.Context, domains []string, addrs []netip.Addr, stderr io.Writer) (*bytes.Buffer, error) {
	var zones []string
	for _, domain := range domains {
		canonical, err := resolver.Canonical(domain)
		if err != nil {
			return nil, fmt.Errorf("-domain: %w", err)
		}
		if !slices.Contains(zones, canonical) {
			zones = append(zones, canonical)
		}
	}
	now, err := s.read(ctx, zones[:1], stderr) // the others may be in the zone of the first
	if err != nil {
		return nil, err
	}
	// The whole zones replace the live ones.
	whole, err := plan.FromZones(resolver.SeqOf(now.records...))
	if err != nil {
		return nil, err
	}
	layered, err := whole.Overlay(now.answering, nil)
	if err != nil {
		return nil, err
	}
	described, comments, err := draft.FromDNS(ctx, layered, zones[0], addrs, resolver.SeqOf(now.records...), zones[1:]...)
	if errors.Is(err, draft.ErrNoServer) {
		err = fmt.Errorf("%w (-ip ADDR)", err)
	}
	if err != nil {
		return nil, err
	}
	head := org.Comment{Text: "A first description, from what DNS says. Comments tell what it could not know, or guessed: correct and complete it, and give it to plan -org."}
	var text bytes.Buffer
	err = described.WriteYAML(&text, append([]org.Comment{head}, comments...)...)
	return &text, err
}
