//go:build interop

package csa_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/internal/lab/nameserver"
	"github.com/bonafide-mta/bonafide/internal/lab/netns"
	"github.com/bonafide-mta/bonafide/resolver"
)

// interopZone has the zone of the other tests, and a record with every weight and port, of
// a name itself (own) and of its parent (par), with a target that has the client's address,
// other addresses, none, and one whose servers fail.
func interopZone() string {
	var b strings.Builder
	b.WriteString(zone + `
additional 300 TXT "the zone before is revision.test's or another's"
$ORIGIN csa.test.
csa1 A 192.0.2.7
csa2 A 192.0.2.8
_client._smtp.csa1 SRV 1 2 0 csa1
_client._smtp.csa2 SRV 1 1 0 csa2
_client._smtp.additional SRV 1 2 0 host.example.test.
$ORIGIN both2.test.
_client._smtp SRV 1 1 1 both2.test.
_client._smtp SRV 1 1 0 both2.test.
_client._smtp.empty TXT "NODATA"
$ORIGIN both3.test.
_client._smtp SRV 1 1 0 both3.test.
_client._smtp SRV 1 1 1 both3.test.
_client._smtp.empty TXT "NODATA"
$ORIGIN one.test.
_client._smtp.order SRV 1 1 0 host.example.test.
_client._smtp.order SRV 1 2 0 host.example.test.
_client._smtp.order2 SRV 1 2 0 host.example.test.
_client._smtp.order2 SRV 1 1 0 host.example.test.
_client._smtp.match SRV 1 2 0 host.example.test.
_client._smtp.match SRV 1 2 0 other
_client._smtp.match2 SRV 1 2 0 other
_client._smtp.match2 SRV 1 2 0 host.example.test.
other A 192.0.2.99
$ORIGIN top.
_client._smtp SRV 1 1 1 top.
_client._smtp.x.example TXT "NODATA"
_client._smtp.nocut SRV 1 1 1 nocut.top.
_client._smtp.x.nocut TXT "NODATA"
$ORIGIN 2.0.192.in-addr.arpa.
_client._smtp.10 SRV 1 2 0 host.example.test.
`)
	for _, place := range []string{"own", "par"} {
		fmt.Fprintf(&b, "$ORIGIN %s.test.\nmatch A 192.0.2.10\nmismatch A 192.0.2.99\nempty TXT \"no address\"\n", place)
		eachCase(func(weight, port int, target string) {
			name := caseName(weight, port, target)
			owner := target
			if target == "servfail" {
				owner = "host.lame.test."
			}
			fmt.Fprintf(&b, "_client._smtp.%s SRV 1 %d %d %s\n_client._smtp.child.%s TXT \"NODATA\"\n", name, weight, port, owner, name)
		})
	}
	return strings.Replace(b.String(), "additional 300 TXT \"the zone before is revision.test's or another's\"\n", "", 1)
}

func eachCase(do func(weight, port int, target string)) {
	for weight := range 6 {
		for port := range 4 {
			for _, target := range []string{"match", "mismatch", "empty", "servfail"} {
				do(weight, port, target)
			}
		}
	}
}

func caseName(weight, port int, target string) string {
	return fmt.Sprintf("w%dp%d-%s", weight, port, target)
}

// A difference is a case for which Exim says something else, with the number of its row
// among Exim's documented departures from the draft:
//
//  1. since 4.95, no parent is searched for a name that does not exist
//  3. a second-level domain without a zone cut below its top-level domain counts as absent (of a name
//     that does not exist: a case of 1 by now)
//  4. of several records of a parent, the first decides
//  5. of several authorizing records, the first decides
//  6. of denying and authorizing records, the first decides
//  7. an incomplete additional section is taken for all addresses
//  8. an alias as target has no address
//  11. with a final dot, the top-level domain is asked for a policy
//  12. a name that is a top-level domain is asked for and obeyed
//  13. address literals are looked up in the reverse tree
//  16. with -bh, an IPv6 client is compared in another form
//  17. an IPv4-mapped client is compared as text
type difference struct {
	helo, addr string
	row        int
}

var differences = []difference{
	{"x.explicit.test", "192.0.2.10", 1},
	{"a.b.c.x.explicit.test", "192.0.2.10", 1},
	{"x.host.explicit.test", "192.0.2.10", 1},
	{"x.child.explicit.test", "192.0.2.10", 1},
	{"x.explicit.test.", "192.0.2.10", 1},
	{"x.port25.test", "192.0.2.10", 1},
	{"x.both.test", "192.0.2.10", 1},
	{"a.b.c.d.e.deep.test", "192.0.2.10", 1},
	{"y.nocut.top", "192.0.2.10", 3},
	{"alias.example.test", "192.0.2.10", 8},
	{"x.example.top.", "192.0.2.10", 11},
	{"top", "192.0.2.10", 12},
	{"[192.0.2.10]", "192.0.2.10", 13},
	{"192.0.2.10", "192.0.2.10", 13},
	{"w2.example.test", "::ffff:192.0.2.10", 17},
	{"additional.csa.test", "192.0.2.10", 7},
	{"w2.example.test", "-bh 2001:db8::10", 16},
}

// byOrder has names of which some differ, by their row: the order in which the server
// sends records decides which.
var byOrder = map[string]int{
	"order.one.test": 6, "order2.one.test": 6, "two-or-one.example.test": 6,
	"match.one.test": 5, "match2.one.test": 5, "second.example.test": 5, "three-and-two.example.test": 5, "two-or-three.example.test": 5,
	"empty.both2.test": 4, "empty.both3.test": 4,
}

// TestInteropExim asks Exim's verify = csa about the clients that csa.Check is asked
// about, of the same servers, in a network of its own.
func TestInteropExim(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	r := network(t)
	netns.MountEtc(t)
	// verify = csa fails for fail alone. The second statement says what it found.
	exim := netns.NewExim(t, `primary_hostname = mta.receiver.test
log_selector = -all
helo_allow_chars = _
acl_smtp_mail = check
begin acl
check:
  warn ! verify = csa
         set acl_c_reason = $acl_verify_message
  deny   message = RESULT csa=$csa_status reason=$acl_c_reason
`)
	t.Log(exim.Version)

	seen := make(map[int]int) // rows
	unexplained := 0
	statuses := make(map[csa.Status]int)
	questions := interopQuestions()
	for _, q := range questions {
		addr := strings.TrimPrefix(q.addr, "-bh ")
		ours := csa.Checker{Resolver: r}.Check(t.Context(), netip.MustParseAddr(addr), q.helo)
		statuses[ours.Status]++
		theirs := askExim(t, exim, q.addr, q.helo)
		i := slices.IndexFunc(differences, func(d difference) bool { return d.helo == q.helo && d.addr == q.addr })
		equal := theirs == eximStatus(ours.Reason)
		switch {
		case !equal && i >= 0:
			seen[differences[i].row]++
		case !equal && byOrder[q.helo] > 0:
			seen[byOrder[q.helo]]++
		case !equal:
			unexplained++
			t.Errorf("%s %s: Exim %q, ours %s (%s)", q.addr, q.helo, theirs, ours.Status, ours.Reason)
		case i >= 0:
			t.Errorf("%s %s: row %d no longer occurs", q.addr, q.helo, differences[i].row)
		}
	}
	for _, row := range byOrder {
		if seen[row] == 0 {
			t.Errorf("row %d no longer occurs", row)
		}
	}
	t.Logf("statuses %v; differences by row %v", statuses, seen)
	t.Logf("%d sessions with Exim: %d unexplained differences", len(questions), unexplained)
}

// A question is a client.
type question struct{ helo, addr string }

// interopQuestions returns the clients that both are asked about.
func interopQuestions() []question {
	var questions []question
	for _, tt := range cases {
		// Not names that Exim refuses in HELO, or that do not fit on a line of SMTP.
		if !strings.ContainsAny(tt.helo, "!ö") && len(tt.helo) > 1 && len(tt.helo) < 200 && !strings.Contains(tt.helo, "..") && tt.helo != "2001:db8::10" {
			questions = append(questions, question{tt.helo, "192.0.2.10"})
		}
	}
	for _, helo := range []string{"top", "x.nocut.top", "y.nocut.top", "x.example.top.", "additional.csa.test", "empty.both2.test", "empty.both3.test",
		"order.one.test", "order2.one.test", "match.one.test", "match2.one.test"} {
		questions = append(questions, question{helo, "192.0.2.10"})
	}
	for _, addr := range []string{"192.0.2.7", "192.0.2.8"} {
		questions = append(questions, question{"csa1.csa.test", addr}, question{"csa2.csa.test", addr})
	}
	for _, addr := range []string{"192.0.2.11", "2001:db8::10", "2001:db8::11", "::ffff:192.0.2.10", "-bh 2001:db8::10"} {
		questions = append(questions, question{"w2.example.test", addr}, question{"w1.example.test", addr})
	}
	questions = append(questions, question{"four.example.test", "2001:db8::10"}, question{"host.lame.test", "192.0.2.10"}, question{"[IPv6:2001:db8::10]", "192.0.2.10"})
	eachCase(func(weight, port int, target string) {
		name := caseName(weight, port, target)
		questions = append(questions, question{name + ".own.test", "192.0.2.10"}, question{"child." + name + ".par.test", "192.0.2.10"})
	})
	return questions
}

// eximStatus returns what Exim says for a reason. All that is not known is one status.
func eximStatus(r csa.Reason) string {
	switch r {
	case csa.Authorized:
		return "ok"
	case csa.Denied:
		return "fail: host name not authorized"
	case csa.ExplicitRequired:
		return "fail: explicit authorization required"
	case csa.NoAddress:
		return "fail: no authorized addresses"
	case csa.AddressMismatch:
		return "fail: client address mismatch"
	case csa.Temporary:
		return "defer"
	}
	return "unknown"
}

// network makes a loopback, NSD with the zones, and in front of it, on port 53, what
// Exim's resolver library and ours ask.
func network(t *testing.T) resolver.Resolver {
	t.Helper()
	netns.Loopback(t)
	var zones []nameserver.Zone
	apexes := []string{"."}
	for i, part := range strings.Split(interopZone(), "$ORIGIN ") {
		if i == 0 {
			continue // the TTL
		}
		apex, text, _ := strings.Cut(part, "\n")
		apexes = append(apexes, apex)
		zones = append(zones, nameserver.Zone{Apex: apex, Text: fmt.Sprintf("$ORIGIN %s\n$TTL 300\n@ SOA ns hostmaster 1 1 1 1 60\n@ NS ns\nns A 127.0.0.1\n%s", apex, text)})
	}
	root := "$ORIGIN .\n$TTL 300\n@ SOA ns hostmaster 1 1 1 1 60\n@ NS ns\nns A 127.0.0.1\n"
	for _, tld := range []string{"test.", "top.", "arpa.", "local."} {
		root += tld + " NS ns.\n"
		if tld != "top." {
			apexes = append(apexes, tld)
			zones = append(zones, nameserver.Zone{Apex: tld, Text: "$ORIGIN " + tld + "\n$TTL 300\n@ SOA ns. hostmaster 1 1 1 1 60\n@ NS ns.\n" + delegations(tld, zones)})
		}
	}
	zones = append(zones, nameserver.Zone{Apex: ".", Text: root})
	nsd := nameserver.NSD(t, zones...)
	t.Log(nsd.Version, len(zones), "zones")

	return netns.ServeDNS(t, dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		name := strings.ToLower(question.Question[0].Name)
		if strings.HasSuffix(name, ".lame.test.") {
			w.WriteMsg(new(dns.Msg).SetRcode(question, dns.RcodeServerFailure))
			return
		}
		response := netns.Forward(w, question, nsd.Addr)
		if name == "_client._smtp.additional.csa.test." { // one of two addresses, as a full cache may send
			other, _ := dns.NewRR("host.example.test. 300 A 192.0.2.99")
			response.Extra = append([]dns.RR{other}, slices.DeleteFunc(response.Extra, func(rr dns.RR) bool { return rr.Header().Rrtype != dns.TypeOPT })...)
		}
		w.WriteMsg(response)
	}))
}

// delegations lists the zones below a top-level domain.
func delegations(tld string, zones []nameserver.Zone) string {
	var b strings.Builder
	for _, z := range zones {
		if strings.HasSuffix(z.Apex, "."+tld) {
			fmt.Fprintf(&b, "%s NS ns.\n", z.Apex)
		}
	}
	return b.String()
}

var (
	result    = regexp.MustCompile(`RESULT csa=(\w*) reason=(.*)`)
	continued = regexp.MustCompile(`\r?\n550[- ]`) // of a reply that Exim cut into lines
)

// askExim returns what Exim says about a client: the status and, for a failure, why.
func askExim(t *testing.T, exim netns.Exim, addr, helo string) string {
	t.Helper()
	flags := []string{"-bs", "-oMa", addr}
	if bh, ok := strings.CutPrefix(addr, "-bh "); ok {
		flags = []string{"-bh", bh}
	}
	out := exim.Session(t, helo, flags...)
	found := result.FindStringSubmatch(continued.ReplaceAllString(out, " "))
	if found == nil {
		t.Errorf("%s %s: no result:\n%s", addr, helo, out)
		return ""
	}
	status := found[1]
	if status == "fail" {
		_, reason, _ := strings.Cut(strings.TrimSpace(found[2]), "(")
		status += ": " + strings.TrimSuffix(reason, ")")
	}
	return status
}
