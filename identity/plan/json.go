package plan

import (
	"encoding/json"
	"io"
	"net/netip"

	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver"
)

// WriteJSON writes the plan as one JSON document with fixed keys: every key is always
// there, lists are never null, records are lines of zone text.
func (p *Plan) WriteJSON(w io.Writer) error {
	type change struct {
		Owner  Owner     `json:"owner"`
		Zone   string    `json:"zone"`
		Name   string    `json:"name"`
		Type   string    `json:"type"`
		Before []string  `json:"before"`
		After  []string  `json:"after"`
		Rules  []rule.ID `json:"rules"`
	}
	type host struct {
		MTA       string   `json:"mta"`
		Addresses []string `json:"addresses"`
		PTR       string   `json:"ptr"`
		HELO      string   `json:"helo"`
	}
	type step struct {
		Stage   Stage    `json:"stage"`
		Gate    bool     `json:"gate"`
		Owners  []Owner  `json:"owners"`
		Changes []change `json:"changes"`
		Hosts   []host   `json:"hosts"`
		Names   []string `json:"names"`
	}
	type record struct {
		Record string    `json:"record"`
		Rules  []rule.ID `json:"rules"`
	}
	type kept struct {
		Records []string `json:"records"`
		Wanted  []record `json:"wanted"`
		Reason  string   `json:"reason"`
	}
	type refusal struct {
		MTA    string `json:"mta"`
		Value  string `json:"value"`
		Reason string `json:"reason"`
	}
	type note struct {
		Name string `json:"name"`
		Text string `json:"text"`
	}
	records := func(list []Record) []record {
		return each(list, func(r Record) record { return record{zoneText(r.RR), r.Rules} })
	}
	doc := struct {
		Organisation string    `json:"organisation"`
		Partial      bool      `json:"partial"`
		Steps        []step    `json:"steps"`
		Wanted       []record  `json:"wanted"`
		Kept         []kept    `json:"kept"`
		Refused      []refusal `json:"refused"`
		Notes        []note    `json:"notes"`
	}{
		Organisation: canonical(p.Organisation.Domain), Partial: p.Partial, Wanted: records(p.Wanted),
		Steps: each(p.Steps, func(s Step) step {
			return step{s.Stage, s.Gate(), append([]Owner{}, s.Owners()...), each(s.Changes, func(c Change) change {
				return change{c.Owner, c.Zone, c.Name, resolver.TypeString(c.Type), each(c.Before, zoneText), each(c.After, zoneText), append([]rule.ID{}, c.Rules...)}
			}), each(s.Hosts, func(h Host) host {
				return host{h.MTA, each(h.Addrs, netip.Addr.String), h.PTR, h.HELO}
			}), append([]string{}, s.Names...)}
		}),
		Kept:    each(p.Kept, func(k Kept) kept { return kept{each(k.Records, zoneText), records(k.Wanted), k.Reason} }),
		Refused: each(p.Refused, func(r Refusal) refusal { return refusal(r) }),
		Notes:   each(p.Notes, func(n Note) note { return note(n) }),
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}

// each returns what f makes of each element, never nil.
func each[T, U any](list []T, f func(T) U) []U {
	out := make([]U, 0, len(list))
	for _, v := range list {
		out = append(out, f(v))
	}
	return out
}
