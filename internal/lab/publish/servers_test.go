//go:build interop

package publish_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/lab/debian"
	"github.com/bonafide-mta/bonafide/internal/lab/nameserver"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A host serves zones on one server, and changes them as that server is changed.
type host interface {
	server() nameserver.Server
	// carryOut makes the changes that are not the ISP's.
	carryOut(t *testing.T, changes []plan.Change)
	// changePTRs does what a letter asks of the ISP, whose zones are there, too.
	changePTRs(t *testing.T, l letter)
}

// initialZones returns the zones before any change.
func initialZones(t *testing.T) []nameserver.Zone {
	t.Helper()
	return withRoot(bareZones(t, "testdata/before.zones"))
}

// bareZones reads the zones of a file that leaves out their SOA and NS records.
func bareZones(t *testing.T, file string) []nameserver.Zone {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var zones []nameserver.Zone
	for _, part := range strings.Split("\n"+string(text), "\n$ORIGIN ")[1:] {
		apex, text, _ := strings.Cut(part, "\n")
		zones = append(zones, nameserver.Zone{Apex: apex, Transfer: true, Update: true, Text: "$ORIGIN " + apex +
			"\n$TTL 3600\n@ SOA ns.receiver.test. hostmaster.receiver.test. 1 7200 900 1209600 300\n@ NS ns.receiver.test.\n" + text + "\n"})
	}
	return zones
}

// withRoot adds a root zone that delegates all others.
func withRoot(zones []nameserver.Zone) []nameserver.Zone {
	root := "$TTL 3600\n. SOA ns. hostmaster. 1 7200 900 1209600 300\n. NS ns.\nns. A 127.0.0.1\n"
	for _, z := range zones {
		root += z.Apex + " NS ns.receiver.test.\n"
	}
	return append(zones, nameserver.Zone{Apex: ".", Text: root})
}

// bind is BIND, whose zones nsupdate changes.
type bind struct {
	nameserver.Server
	nsupdate string
}

func newBIND(t *testing.T, zones []nameserver.Zone) host {
	t.Helper()
	return bind{nameserver.BIND(t, zones...), debian.Program(t, "nsupdate", "bind9-dnsutils")}
}

func (b bind) server() nameserver.Server { return b.Server }

// carryOut makes the changes by the script of the plan, and runs it once more: that must
// fail, since the zones are no longer as the script requires.
func (b bind) carryOut(t *testing.T, changes []plan.Change) {
	t.Helper()
	var script bytes.Buffer
	if err := plan.WriteUpdate(&script, changes); err != nil {
		t.Fatal(err)
	}
	if script.Len() == 0 {
		return
	}
	if out, err := b.update(script.String()); err != nil {
		t.Fatalf("nsupdate: %v\n%s\n%s", err, out, &script)
	}
	if out, err := b.update(script.String()); err == nil || !strings.Contains(out, "RRSET") {
		t.Errorf("nsupdate, with the same again: %v\n%s", err, out)
	}
}

func (b bind) update(script string) (string, error) {
	cmd := exec.Command(b.nsupdate)
	cmd.Stdin = strings.NewReader(fmt.Sprintf("server %s %d\n%s", b.Addr.Addr(), b.Addr.Port(), script))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (b bind) changePTRs(t *testing.T, l letter) {
	t.Helper()
	var script strings.Builder
	for _, ptr := range l.remove {
		fmt.Fprintf(&script, "update delete %s\nsend\n", ptr) // zones have messages of their own
	}
	for _, ptr := range l.set {
		fmt.Fprintf(&script, "update add %s\nsend\n", ptr)
	}
	if out, err := b.update(script.String()); err != nil {
		t.Fatalf("nsupdate: %v\n%s\n%s", err, out, &script)
	}
}

// nsd is NSD, whose zone files are edited.
type nsd struct {
	nameserver.Server
	files map[string]*zoneFile // by apex
}

// A zoneFile has a line for each record.
type zoneFile struct {
	soa   *dns.SOA
	lines []string
}

func newNSD(t *testing.T, zones []nameserver.Zone) host {
	t.Helper()
	n := nsd{nameserver.NSD(t, zones...), make(map[string]*zoneFile)}
	for _, z := range zones {
		records, err := resolver.ReadZone("", z.Apex, strings.NewReader(z.Text))
		if err != nil {
			t.Fatal(err)
		}
		f := &zoneFile{}
		for rr := range records.Records() {
			if soa, ok := rr.(*dns.SOA); ok {
				f.soa = soa
			} else {
				f.lines = append(f.lines, rr.String())
			}
		}
		n.files[z.Apex] = f
	}
	return n
}

func (n nsd) server() nameserver.Server { return n.Server }

func (n nsd) carryOut(t *testing.T, changes []plan.Change) {
	t.Helper()
	var text strings.Builder
	if err := plan.WriteZone(&text, changes); err != nil {
		t.Fatal(err)
	}
	n.edit(t, text.String())
}

func (n nsd) changePTRs(t *testing.T, l letter) {
	t.Helper()
	text := "$ORIGIN " + ispZone + "\n"
	for _, ptr := range l.remove {
		text += "; remove: " + ptr + "\n"
	}
	n.edit(t, text+strings.Join(l.set, "\n"))
}

// edit changes zone files as the text of the plan says: it adds its records, and removes
// those in its comments.
func (n nsd) edit(t *testing.T, text string) {
	t.Helper()
	var f *zoneFile
	edited := make(map[string]*zoneFile)
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if apex, ok := strings.CutPrefix(line, "$ORIGIN "); ok {
			f = n.files[apex]
			edited[apex] = f
		} else if gone, ok := strings.CutPrefix(line, "; remove: "); ok {
			i := slices.IndexFunc(f.lines, func(line string) bool {
				a, _ := dns.NewRR(line)
				b, err := dns.NewRR(gone)
				return err == nil && a != nil && dns.IsDuplicate(a, b)
			})
			if i < 0 {
				t.Fatalf("%s is not there to be removed", gone)
			}
			f.lines = slices.Delete(f.lines, i, i+1)
		} else {
			f.lines = append(f.lines, line)
		}
	}
	for apex, f := range edited {
		f.soa.Serial++
		n.Rewrite(t, apex, f.soa.String()+"\n"+strings.Join(f.lines, "\n")+"\n")
	}
}

// ispZone is the zone that the organization does not write.
const ispZone = "100.51.198.in-addr.arpa."

// A letter is what an ISP does after reading one: PTR records as lines of its zone file.
type letter struct{ set, remove []string }

// readLetter reads what the ISP is asked for as a person would who does not know the plan:
// lines with an address and a name.
func readLetter(t *testing.T, changes []plan.Change) letter {
	t.Helper()
	var text strings.Builder
	if err := plan.WriteLetter(&text, changes); err != nil {
		t.Fatal(err)
	}
	var l letter
	to := &l.set
	for line := range strings.Lines(text.String()) {
		if strings.HasPrefix(line, "Please remove") {
			to = &l.remove
		}
		where, name, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if addr, err := netip.ParseAddr(where); ok && err == nil {
			*to = append(*to, dnsname.Reverse(addr)+" 3600 IN PTR "+name)
		}
	}
	return l
}

// transfer returns the records of zones by AXFR.
func transfer(t *testing.T, s nameserver.Server, apexes ...string) []dns.RR {
	t.Helper()
	var out []dns.RR
	for _, apex := range apexes {
		for rr, err := range resolver.Transfer(t.Context(), s.Addr, apex) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, rr)
		}
	}
	return out
}

// sortedText returns records as sorted text, without what servers may choose: serial
// numbers, and the case of names.
func sortedText(records []dns.RR) []string {
	var out []string
	for _, rr := range records {
		rr = dns.Copy(rr)
		rr.Header().Name = strings.ToLower(rr.Header().Name)
		if soa, ok := rr.(*dns.SOA); ok {
			soa.Serial = 0
		}
		text := rr.String()
		if rr.Header().Rrtype != dns.TypeTXT {
			text = strings.ToLower(text)
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}
