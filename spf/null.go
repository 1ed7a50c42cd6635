package spf

import (
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// IsRecord reports whether receivers take a text for an SPF record: it begins with the
// version v=spf1, in any case, which ends there or is followed by a space (RFC 7208, Section
// 4.5). [Parse] tells whether the rest is right, and [NearMiss] why another text is not one.
func IsRecord(text string) bool { return isRecord(text) }

// Select returns the SPF record among the texts of a name, or ErrNoRecord or ErrRecords
// (RFC 7208, Section 4.5).
func Select(texts []string) (string, error) {
	found, err := "", ErrNoRecord
	for _, text := range texts {
		if !isRecord(text) {
			continue
		}
		if err == nil {
			return "", ErrRecords
		}
		found, err = text, nil
	}
	return found, err
}

// IsNull reports whether a text is a null SPF record: it denies every client, whatever
// other records say, as v=spf1 -all does. It has an all, and each mechanism up to the first
// all has the qualifier "-" and is not an include, which is a permerror where it finds no
// record. What follows the all is never evaluated (RFC 7208, Section 5.1).
func IsNull(text string) bool { return IsNullBy(text, nil) }

// IsNullBy reports whether a text is a null SPF record or redirects to one. The function
// returns the SPF record of a domain, which is canonical, and "" for none or several; nil
// follows no redirect.
func IsNullBy(text string, record func(domain string) string) bool {
	for range DefaultMaxLookups + 1 { // RFC 7208, Section 4.6.4: ten redirects are allowed
		r, err := Parse(text)
		if err != nil {
			return false
		}
		denies, redirect := r.denies()
		if denies || redirect == "" || record == nil {
			return denies
		}
		text = record(redirect)
	}
	return false
}

// denies reports whether the record denies every client, or else returns the domain whose
// record decides that: nobody passes by a mechanism, and a redirect leads there.
func (r *Record) denies() (all bool, redirect string) {
	for _, t := range r.Terms {
		switch {
		case t.Qualifier == 0: // a modifier
		case t.Qualifier != Fail || t.Kind == Include:
			return false, ""
		case t.Kind == All:
			return true, ""
		}
	}
	if t := r.first(Redirect); t != nil && strings.IndexByte(t.Domain, '%') < 0 {
		redirect, _ = resolver.Canonical(t.Domain)
	}
	return false, redirect
}

// IsNull reports whether the policy denies every client: the record of the domain is a null
// one, or redirects to one. A policy that is not null may deny every client, too, as v=spf1
// a -all does as long as the name has no address.
func (a *Analysis) IsNull() bool {
	if a.Root == nil {
		return false
	}
	texts := make(map[string]string)
	a.Root.walk(func(n *TreeNode) {
		if n.Err == nil {
			texts[n.Domain] = n.Text
		}
	})
	return IsNullBy(texts[a.Root.Domain], func(domain string) string { return texts[domain] })
}

// IsNull reports whether the policy that was checked denies every client, as
// Analysis.IsNull does, as far as the check came to its records.
func (r *Result) IsNull() bool {
	text := func(domain string) string {
		for _, response := range r.Responses {
			if response.Type == dns.TypeTXT && response.Name == domain {
				text, _ := Select(response.TXT())
				return text
			}
		}
		return ""
	}
	return IsNullBy(text(r.Domain), text)
}
