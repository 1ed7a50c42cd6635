package identity

import (
	"context"
	"net/netip"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// Sequential makes the checks of a session one after the other, asking nothing ahead.
func Sequential(ctx context.Context, r resolver.Resolver, client netip.Addr, heloName, sender, domain string) {
	policy := spf.Checker{Resolver: r, Speculate: spf.SpeculateNone, NoExplanation: true}
	fcrdns.Checker{Resolver: r}.Check(ctx, client)
	helo.Checker{Resolver: r}.Check(ctx, heloName, client)
	policy.CheckHelo(ctx, client, heloName)
	csa.Checker{Resolver: r, Sequential: true}.Check(ctx, client, heloName)
	policy.CheckMailFrom(ctx, client, heloName, sender)
	nullmx.Checker{Resolver: r}.Check(ctx, domain)
}

// Judge draws the verdict from results.
func Judge(v Verdict, ours bool, p Policy) *Verdict {
	v.decide(ours)
	v.Advice = v.Advise(p)
	return &v
}

// WorstCase returns how many questions each step reserves.
func WorstCase() (connect, helo, mail int) { return worstConnect, worstHelo, worstMail }
