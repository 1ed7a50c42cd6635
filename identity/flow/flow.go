package flow

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// A Kind is one of the ways in which a name takes part in mail. The zero Kind is invalid.
type Kind uint8

// The kinds of flows.
const (
	_       Kind = iota
	Helo         // clients use the name in HELO
	Sender       // clients send mail as user@ the name
	Inbound      // mail for user@ the name goes to a host
)

var kindText = []string{Helo: "helo", Sender: "sender", Inbound: "inbound"}

// String returns helo, sender or inbound.
func (k Kind) String() string { return enum.String(k, kindText) }

// MarshalText returns the text of String; an invalid Kind is an error.
func (k Kind) MarshalText() ([]byte, error) { return enum.Marshal(k, kindText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (k *Kind) UnmarshalText(text []byte) error { return enum.Unmarshal(k, text, kindText) }

// A Sign is what shows a flow, the surest first. The zero Sign is invalid.
type Sign uint8

// The signs of flows.
const (
	_          Sign = iota
	Described       // the description: By is the ID of an MTA, or "" for a mail domain
	Observed        // an observation of a client
	MX              // an MX record
	CSA             // a CSA record that authorizes
	SPF             // a term of an SPF record that names a network or a host, or the term ptr and a PTR record
	SPFMX           // the term mx of an SPF record
	Include         // the term include, exists or redirect of an SPF record
	SRV             // an SRV record for submission, IMAP or POP3 (RFC 6186, RFC 8314)
	TLSA            // a TLSA record for port 25 (RFC 7672)
	MTASTS          // a record at _mta-sts (RFC 8461)
	TLSRPT          // a record at _smtp._tls (RFC 8460)
	DKIM            // a record or a zone of its own at or below _domainkey (RFC 6376), except a key that is revoked
	DMARC           // a record at _dmarc (RFC 7489), except a policy that rejects
	PTR             // a PTR record of an address that a mail server has
	Address         // an address that a mail server has
	Authorized      // an address that the SPF record of another name authorizes
)

var signText = []string{
	Described: "described", Observed: "observed", MX: "mx", CSA: "csa", SPF: "spf", SPFMX: "spf-mx", Include: "include", SRV: "srv",
	TLSA: "tlsa", MTASTS: "mta-sts", TLSRPT: "tls-rpt", DKIM: "dkim", DMARC: "dmarc", PTR: "ptr", Address: "address", Authorized: "authorized",
}

// String returns the keyword of the sign in lower case.
func (s Sign) String() string { return enum.String(s, signText) }

// MarshalText returns the text of String; an invalid Sign is an error.
func (s Sign) MarshalText() ([]byte, error) { return enum.Marshal(s, signText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (s *Sign) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, signText) }

// A Flow is a way in which mail goes, as a record, a description or an observation shows it.
// [Survey.Clients] returns where its clients are. Names are canonical.
type Flow struct {
	Kind Kind   `json:"kind,omitzero"`
	Name string `json:"name"` // the HELO name, or the domain of the senders or recipients
	// Node is where records about the flow must be: Name, the target if Name is an alias, or
	// the wildcard that answers for it. Of an Include it is the node of the included name.
	Node string       `json:"node"`
	Host string       `json:"host,omitzero"` // the host that mail goes to, or whose addresses the clients have; "" for Name
	Net  netip.Prefix `json:"net,omitzero"`  // the clients, if they are known by address
	Len4 uint8        `json:"len4,omitzero"` // of an SPF term: how many bits of Host's IPv4 addresses count; 0 for all
	Len6 uint8        `json:"len6,omitzero"` // the same for IPv6
	Sign Sign         `json:"sign,omitzero"`
	By   string       `json:"by,omitzero"` // the name of the record that shows the flow, the ID of an MTA, or "" for the description
}

// String says what shows the flow as a sentence about Node without a final period, printable
// on any terminal: "it takes the mail of example.org".
func (f Flow) String() string {
	subject := "it"
	switch {
	case f.Sign == Include || f.Node == f.Name:
	case strings.HasPrefix(f.Node, "*."):
		subject = display(f.Name) + ", which it answers for,"
	default:
		subject = "its alias " + display(f.Name)
	}
	return untrusted.Line(f.about(subject))
}

// about returns what the sign says about a subject.
func (f Flow) about(subject string) string {
	by := display(f.By)
	switch f.Sign {
	case Described:
		switch {
		case f.Kind == Sender:
			return subject + " is a mail domain"
		case f.Host != "":
			return subject + " is the PTR name of " + f.By
		}
		return subject + " is the HELO name of " + f.By
	case Observed:
		return "a client at " + f.Net.Addr().String() + " uses " + subject + " in HELO"
	case MX:
		if f.Kind == Inbound {
			return subject + " has mail servers"
		}
		return subject + " takes the mail of " + by
	case CSA:
		return "a CSA record authorizes " + subject + " in HELO"
	case SPF, SPFMX, Include:
		if f.Kind == Sender && f.Sign != Include {
			return "the SPF record of " + subject + " authorizes clients"
		}
		return "the SPF record of " + by + " names " + subject
	case SRV:
		return subject + " is the target of " + by
	case PTR:
		return subject + " is the PTR name of " + f.Net.Addr().String() + ", an address of " + by
	case Address:
		return subject + " has " + f.Net.Addr().String() + ", an address of " + by
	case Authorized:
		return subject + " has " + f.Net.Addr().String() + ", which the SPF record of " + by + " authorizes"
	}
	return subject + " has " + by
}

// display returns a name without its final dot.
func display(name string) string { return cmp.Or(strings.TrimSuffix(name, "."), ".") }

// compareFlows orders flows by node, then the surest first.
func compareFlows(a, b Flow) int {
	return cmp.Or(dnsname.Compare(a.Node, b.Node), cmp.Compare(a.Sign, b.Sign), cmp.Compare(a.Kind, b.Kind), dnsname.Compare(a.Name, b.Name),
		dnsname.Compare(a.By, b.By), dnsname.Compare(a.Host, b.Host), a.Net.Addr().Compare(b.Net.Addr()), cmp.Compare(a.Net.Bits(), b.Net.Bits()),
		cmp.Compare(a.Len4, b.Len4), cmp.Compare(a.Len6, b.Len6))
}

// At returns the flows that records at a canonical name are about, the surest first. Those of
// [Survey.Authorized] are not among them.
func (s *Survey) At(node string) []Flow { return s.at(node, s.Node(node)) }

// AtNode returns what At returns for the name of one of Nodes, and then what Authorized does.
// It takes less time, because it does not search for the node.
func (s *Survey) AtNode(n *Node) []Flow { return append(s.at(n.Name, n), s.authorized(n)...) }

// at is At for a name and its node, nil if it has none.
func (s *Survey) at(node string, n *Node) []Flow {
	i, _ := slices.BinarySearchFunc(s.flows, node, func(f Flow, node string) int { return dnsname.Compare(f.Node, node) })
	end := i
	for end < len(s.flows) && s.flows[end].Node == node {
		end++
	}
	out := slices.Clone(s.flows[i:end])
	for _, e := range s.exchangers(node) {
		out = append(out, Flow{Kind: Inbound, Name: node, Node: node, Host: e.to, Sign: MX, By: node})
	}
	for _, addr := range s.addressed(n) {
		server := s.Server(addr)
		if server != "" && server != node && s.Locate(server) != node {
			out = append(out, Flow{Kind: Helo, Name: node, Node: node, Net: single(addr), Sign: Address, By: server})
		}
	}
	slices.SortFunc(out, compareFlows)
	return out
}

// Authorized returns a flow for each address of a canonical name that the SPF record of
// another name authorizes, and that is not known as the address of a mail server: the network
// may be larger than the mail servers in it. The sign of these flows is Authorized.
func (s *Survey) Authorized(node string) []Flow { return s.authorized(s.Node(node)) }

// authorized is Authorized for a node, nil for a name without records.
func (s *Survey) authorized(n *Node) []Flow {
	var out []Flow
	for _, addr := range s.addressed(n) {
		if owner := s.Authorizer(addr); owner != "" && owner != n.Name && s.Server(addr) == "" {
			out = append(out, Flow{Kind: Helo, Name: n.Name, Node: n.Name, Net: single(addr), Sign: Authorized, By: owner})
		}
	}
	slices.SortFunc(out, compareFlows)
	return out
}

// addressed returns the addresses of a node that its zone has.
func (s *Survey) addressed(n *Node) []netip.Addr {
	if n != nil && len(n.Addrs) > 0 && s.NotInZone(n.Name) == "" {
		return n.Addrs
	}
	return nil
}

// Flows yields every flow that At returns for some name, sorted by Node.
func (s *Survey) Flows() iter.Seq[Flow] {
	return func(yield func(Flow) bool) {
		names := make([]string, 0, len(s.flows)+len(s.nodes))
		for _, f := range s.flows {
			names = append(names, f.Node)
		}
		for _, n := range s.nodes {
			names = append(names, n.Name)
		}
		slices.SortFunc(names, dnsname.Compare)
		for _, name := range slices.Compact(names) {
			for _, f := range s.At(name) {
				if !yield(f) {
					return
				}
			}
		}
	}
}

// maxExchangers is how many hosts the term mx of an SPF record can have (RFC 7208, Section
// 4.6.4).
const maxExchangers = 10

// Clients returns where the clients of a Helo or Sender flow are, sorted: nil if that is not
// known, as for what another organization's SPF record authorizes. Those of a described mail
// domain are the MTAs that send for it and its networks.
func (s *Survey) Clients(f Flow) []netip.Prefix {
	var out []netip.Prefix
	switch {
	case f.Kind == Inbound, f.Sign == Include:
		return nil
	case f.Net.IsValid():
		return []netip.Prefix{f.Net}
	case f.Kind == Sender && f.Sign == Described && s.org != nil:
		out = s.sendersOf(s.mail[f.Name])
	case f.Kind == Sender && f.Sign == SPFMX:
		for _, e := range s.exchangersOfSPF(f.Host) {
			out = append(out, s.addrs(e.to)...)
		}
	case f.Kind == Sender && f.Sign != SPF:
		return nil
	default:
		out = s.addrs(cmp.Or(f.Host, f.Name))
	}
	for i, p := range out {
		if bits := cmp.Or(f.lenOf(p.Addr()), p.Bits()); bits < p.Bits() {
			out[i] = netip.PrefixFrom(p.Addr(), bits).Masked()
		}
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return slices.Compact(out)
}

// sendersOf returns the addresses that a mail domain is described to send from, without those
// of its includes.
func (s *Survey) sendersOf(d org.MailDomain) []netip.Prefix {
	var out []netip.Prefix
	for _, m := range s.org.MTAs {
		if !d.SentBy(m) {
			continue
		}
		for _, addr := range m.Addresses {
			out = append(out, single(addr.Unmap()))
		}
	}
	for _, p := range d.Networks {
		out = append(out, address.CanonicalNetwork(p))
	}
	return out
}

// lenOf returns the prefix length of an SPF term for an address, 0 for the whole address.
func (f Flow) lenOf(addr netip.Addr) int {
	if addr.Is4() {
		return int(f.Len4)
	}
	return int(f.Len6)
}

// addrs returns the addresses of a name, through aliases and wildcards.
func (s *Survey) addrs(name string) []netip.Prefix {
	var out []netip.Prefix
	if n := s.Node(s.Locate(name)); n != nil {
		for _, addr := range n.Addrs {
			out = append(out, single(addr))
		}
	}
	return out
}

// exchangers returns the MX records of a node.
func (s *Survey) exchangers(node string) []edge {
	i, _ := slices.BinarySearchFunc(s.mx, node, func(e edge, node string) int { return dnsname.Compare(e.from, node) })
	end := i
	for end < len(s.mx) && s.mx[end].from == node {
		end++
	}
	return s.mx[i:end]
}

// exchangersOfSPF returns the hosts that the term mx of an SPF record looks at.
func (s *Survey) exchangersOfSPF(domain string) []edge {
	all := s.exchangers(s.Locate(domain))
	return all[:min(len(all), maxExchangers)]
}

// Foreign yields the names outside the zones whose records say whom SPF records of the zones
// authorize, each once, sorted: those of includes and redirects, and the hosts of a and mx.
// What networks are behind them is not known.
func (s *Survey) Foreign() iter.Seq[string] {
	return func(yield func(string) bool) {
		var names []string
		for _, f := range s.flows {
			if f.Kind == Sender && f.Host != "" && !s.has(s.Locate(f.Host)) {
				names = append(names, f.Host)
			}
		}
		slices.SortFunc(names, dnsname.Compare)
		for _, name := range slices.Compact(names) {
			if !yield(name) {
				return
			}
		}
	}
}

// has reports whether the zones are the ones to say what records a name has.
func (s *Survey) has(name string) bool { return s.apexes[s.Zone(name)] && s.NotInZone(name) == "" }

// single returns the network of one address.
func single(addr netip.Addr) netip.Prefix { return netip.PrefixFrom(addr, addr.BitLen()) }

// Hint reports whether a flow is only likely: its name is at the address of a mail server,
// or has keys or a policy for mail. The owner of the name can tell.
func (f Flow) Hint() bool {
	return f.Sign == PTR || f.Sign == Address || f.Sign == Authorized || f.Sign == DKIM || f.Sign == DMARC
}
