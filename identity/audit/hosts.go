package audit

import (
	"slices"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/report"
)

// hosts draws the identity map from the facts.
func (f *facts) hosts() []report.Host {
	out := []report.Host{}
	for _, m := range f.mtas {
		h := report.Host{ID: m.ID, Helo: m.Helo, Addresses: []report.HostAddress{}}
		if !m.Sends() {
			h.Helo = ""
		}
		if arg, err := helo.Parse(h.Helo); err == nil && arg.Name != "" {
			h.Helo, h.HeloOwn = arg.Name, f.owns(arg.Name)
		}
		for _, a := range m.addresses {
			h.Addresses = append(h.Addresses, f.hostAddress(m, a))
		}
		out = append(out, h)
	}
	return out
}

func (f *facts) hostAddress(m *mtaFacts, a *addressFacts) report.HostAddress {
	h := report.HostAddress{Address: a.addr.String(), PTR: report.NotAsked, Helo: report.NotAsked, Names: []report.HostName{}}
	if a.rdns == nil {
		return h
	}
	rdns := a.rdns()
	switch {
	case rdns.PTR.Err != nil:
		h.PTR = report.Unknown
	case len(rdns.Names) == 0:
		h.PTR = report.Broken
	default:
		h.PTR = report.Holds
	}
	h.Skipped = rdns.Skipped
	for _, n := range rdns.Names {
		name := report.HostName{Name: n.Name, Confirmed: report.Broken, Own: f.owns(n.Name)}
		switch n.Outcome {
		case fcrdns.Confirmed:
			name.Confirmed = report.Holds
		case fcrdns.NoAnswer:
			name.Confirmed = report.Unknown
		}
		h.Names = append(h.Names, name)
	}
	if m.helo == nil {
		return h
	}
	switch result := m.helo(); {
	case slices.Contains(result.Found, a.addr):
		h.Helo = report.Holds
	case slices.Contains(result.Unknown, a.addr):
		h.Helo = report.Unknown
	default:
		h.Helo = report.Broken // what is no name has no address either
	}
	return h
}
