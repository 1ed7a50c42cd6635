package plan

import (
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// isSPF reports whether a record is an SPF record.
func isSPF(rr dns.RR) bool {
	t, ok := rr.(*dns.TXT)
	return ok && spf.IsRecord(txt.Join(t.Txt))
}

// isNullSPF reports whether a record is a null SPF record, or redirects to one that is
// published.
func (pub *Published) isNullSPF(rr dns.RR) bool {
	t, ok := rr.(*dns.TXT)
	return ok && spf.IsNullBy(txt.Join(t.Txt), func(domain string) string {
		var texts []string
		for _, rr := range pub.sets[resolver.Question{Name: domain, Type: dns.TypeTXT}] {
			if t, ok := rr.(*dns.TXT); ok {
				texts = append(texts, txt.Join(t.Txt))
			}
		}
		record, _ := spf.Select(texts)
		return record
	})
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
	t, ok := rr.(*dns.TXT)
	if !ok {
		return ""
	}
	return spf.NearMiss(txt.Join(t.Txt))
}

// meantToSend returns the reason to leave a name with a near miss as it is.
func meantToSend(rr dns.RR) string {
	return flow.MeantToSend(nearMiss(rr))
}

// asPublished returns the wanted records of a set, a null SPF record and a Null MX in the
// spelling in which they are published: what receivers take for the same stays.
func (pub *Published) asPublished(published []dns.RR, wanted []rule.Record) []rule.Record {
	var out []rule.Record
	for _, w := range wanted {
		var same []dns.RR
		switch {
		case isNullMX(w.RR) && !slices.ContainsFunc(published, isExchanger):
			same = published
		case pub.isNullSPF(w.RR):
			same = slices.DeleteFunc(slices.Clone(published), func(rr dns.RR) bool { return !isSPF(rr) })
			if len(same) != 1 || !pub.isNullSPF(same[0]) {
				same = nil
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
