package resolvertest

import (
	"testing"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

// TestResolver tests an implementation of resolver.Resolver against what the interface,
// resolver.Answer and resolver.Status promise, with one subtest for each promise.
// newResolver returns an implementation that asks the fake, either directly or over [Serve].
// Each subtest has a fake of its own, with the few records that it needs.
//
//	func TestConformance(t *testing.T) {
//		resolvertest.TestResolver(t, func(t testing.TB, dns *dnsfake.Fake) resolver.Resolver {
//			return &MyResolver{Server: resolvertest.Serve(t, dns)}
//		})
//	}
//
// A failure has, in this order: the question, the injected fault ("with"), the answer of the
// implementation, the expected one, the sentence of the documentation that promises it, what to
// do, and the zone. The zone is a Go expression: paste it into a call of resolver.ParseZones to
// ask the same again.
//
// Lookup is called only with canonical names, because an implementation can rely on them
// (resolver.Ask brings other forms into this one).
//
// A subtest is skipped if the implementation cannot do what the promise is about: if Lookup
// returns an error that wraps errors.ErrUnsupported, or newResolver calls t.Skip. An
// implementation that answers NotFound, because it cannot tell NXDOMAIN from NODATA, may leave
// Chain empty and TTL 0.
//
// All subtests together take about two seconds, most of which they wait.
func TestResolver(t *testing.T, newResolver func(t testing.TB, dns *dnsfake.Fake) resolver.Resolver) {
	for i := range promises {
		t.Run(promises[i].name, func(t *testing.T) { promises[i].testResolver(t, newResolver) })
	}
}

// TestRecords is TestResolver for an implementation that answers from fixed records, such
// as a map or a file, and cannot be told to fail. newResolver returns an implementation that
// holds the zone text: a few lines in the format of RFC 1035, Section 5. An implementation
// that does not read this format can use resolver.ParseZones, as below. Records yields the
// records one by one, with the SOA record of each zone first.
//
//	func TestConformance(t *testing.T) {
//		resolvertest.TestRecords(t, func(t testing.TB, zoneText string) resolver.Resolver {
//			if strings.Contains(zoneText, "*") || strings.Contains(zoneText, "DNAME") {
//				t.Skip("MyRecords has no wildcards and no DNAME records")
//			}
//			zones, err := resolver.ParseZones(zoneText)
//			…
//			for rr := range zones.Records() {
//				records.Add(rr)
//			}
//			return records
//		})
//	}
//
// An implementation over a map must follow CNAME records, at least 8 and into other zones,
// must list them in Chain of negative answers too, and must return an error for a circle. It
// must answer NXDomain if a name does not exist and NoError if the name, or one below it, has
// other records, both also at the end of an alias; or it must answer NotFound to all of
// these, and may then leave Chain empty. It may skip wildcards and DNAME records, as above,
// and record types that it does not have, by an error that wraps errors.ErrUnsupported.
//
// It runs each subtest of TestResolver that needs no fake: all except those about failures,
// deadlines, a context that ends during a question, records that change, and zones of which
// only one is authentic.
func TestRecords(t *testing.T, newResolver func(t testing.TB, zoneText string) resolver.Resolver) {
	for i := range promises {
		if promises[i].withFake == nil {
			t.Run(promises[i].name, func(t *testing.T) { promises[i].testRecords(t, newResolver) })
		}
	}
}

// A promise is a subtest about one sentence of the documentation.
type promise struct {
	name   string
	says   string // the sentence of the documentation of package resolver
	remedy string // what to do about an implementation that breaks it
	zone   string // the records, below those of apex
	brief  string // the same records in fewer lines, for messages

	// One of these tests it.
	test     func(*probe)
	withFake func(*probe, *dnsfake.Fake) // what fixed records cannot do
}

// apex begins every zone text. Negative answers may be kept for 60 seconds (RFC 2308,
// Section 5), all others for 300 where the record does not say otherwise.
const apex = `$ORIGIN conformance.test.
$TTL 300
@ SOA ns hostmaster 1 7200 900 1209600 60
@ NS ns
ns A 192.0.2.1
`

// otherApex begins the records of another zone.
const otherApex = "@ SOA ns.conformance.test. hostmaster.conformance.test. 1 7200 900 1209600 60\n@ NS ns.conformance.test.\n"

// zoneText returns the records of a promise with those that a zone must have.
func (p *promise) zoneText() string { return apex + p.zone + "\n" }

func (p *promise) testResolver(t testing.TB, newResolver func(testing.TB, *dnsfake.Fake) resolver.Resolver) {
	fake, err := dnsfake.New(p.zoneText())
	if err != nil {
		t.Fatal(err)
	}
	probe := newProbe(t, p, newResolver(t, fake))
	if p.withFake != nil {
		p.withFake(probe, fake)
	} else {
		p.test(probe)
	}
}

func (p *promise) testRecords(t testing.TB, newResolver func(testing.TB, string) resolver.Resolver) {
	p.test(newProbe(t, p, newResolver(t, p.zoneText())))
}
