package plan

import (
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/rp"
	"github.com/bonafide-mta/bonafide/spf"
)

// isSPF reports whether a record is an SPF record.
func isSPF(rr dns.RR) bool {
	return spf.IsRecord(textOf(rr))
}

// textOf returns the text of a TXT record, "" of any other record.
func textOf(rr dns.RR) string {
	if t, ok := rr.(*dns.TXT); ok {
		return txt.Join(t.Txt)
	}
	return ""
}

// nearMisses returns the records of a name that are meant as SPF records, without any if
// the name has an SPF record.
func nearMisses(records []dns.RR) []dns.RR {
	if slices.ContainsFunc(records, isSPF) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(records), func(rr dns.RR) bool { return nearMiss(rr) == "" })
}

// nearMiss returns why receivers pass over a record that is meant as an SPF record, "" for
// any other record.
func nearMiss(rr dns.RR) string {
	return spf.NearMiss(textOf(rr))
}

// meantToSend returns the reason to leave a name with a near miss as it is.
func meantToSend(rr dns.RR) string {
	return flow.MeantToSend(nearMiss(rr))
}

// asPublished returns the wanted records of a set, a null SPF record, a Null MX and an RP record
// as they are published: what readers take for the same stays.
func (p *planner) asPublished(published []dns.RR, wanted []rule.Record) []rule.Record {
	var out []rule.Record
	for _, w := range wanted {
		var same []dns.RR
		switch {
		case w.RR.Header().Rrtype == dns.TypeRP:
			same = slices.DeleteFunc(slices.Clone(published), func(rr dns.RR) bool {
				is, ok := rr.(*dns.RP)
				return !ok || !rp.Covers(is, w.RR.(*dns.RP))
			})
		case isNullMX(w.RR) && !slices.ContainsFunc(published, isExchanger):
			same = published
		case spf.IsNull(textOf(w.RR)):
			if n := p.survey.Node(setOf(w.RR).Name); n.Has(flow.NullSPF) && !n.Has(flow.SeveralSPF) {
				same = slices.DeleteFunc(slices.Clone(published), func(rr dns.RR) bool { return !isSPF(rr) })
			}
		}
		if len(same) == 0 {
			out = append(out, w)
		}
		for _, rr := range same {
			out = append(out, rule.Record{RR: rr, Rules: w.Rules})
		}
	}
	return out
}
