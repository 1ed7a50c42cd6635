//go:build unix

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

var organizations = flag.Int("scale.organizations", 8, "how many organizations TestScale audits")

// TestScale audits organizations of five MTAs with two addresses each, from memory and all
// as they should be: a quarter of them, half, and all. Questions grow as the organizations
// do; so do time and memory, which is looked at only where they are many.
//
//	go test -v -run TestScale ./examples/audit -scale.organizations=200
func TestScale(t *testing.T) {
	type cost struct {
		questions int64
		cpu       time.Duration
		peak      uint64
	}
	var last cost
	for _, n := range []int{*organizations / 4, *organizations / 2, *organizations} {
		descriptions, zones := makeOrganizations(t, n)
		var c cost
		var asked atomic.Int64
		stop := watch(&c.peak)
		c.cpu = -processor(t)
		start := time.Now()
		a := audits{descriptions: descriptions, auditor: audit.Auditor{AllowDocumentation: true,
			Resolver: resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
				asked.Add(1)
				return zones.Lookup(ctx, name, qtype)
			})}}
		p := printer{options: &options{format: "json", threshold: rule.ShouldMinor}, stdout: io.Discard, stderr: t.Output(), isList: true}
		bar := progress(io.Discard, n)
		if status := p.print(t.Context(), a.run(t.Context(), bar), bar); status != 0 {
			t.Fatalf("%d organizations: exit status %d", n, status)
		}
		took := time.Since(start)
		stop()
		c.cpu += processor(t)
		c.questions = asked.Load()
		t.Logf("%d organizations of 5 MTAs: %v, of a processor %v, %d questions, %d each, peak heap %d MiB",
			n, took.Round(time.Millisecond), c.cpu.Round(time.Millisecond), c.questions, c.questions/int64(n), c.peak>>20)
		if last.questions > 0 && c.questions != 2*last.questions {
			t.Errorf("%d questions, then %d for twice as many organizations", last.questions, c.questions)
		}
		if n > 50 && (c.cpu > 3*last.cpu || c.peak > 3*last.peak) {
			t.Errorf("%v and %d MiB, then %v and %d MiB for twice as many organizations", last.cpu, last.peak>>20, c.cpu, c.peak>>20)
		}
		last = c
	}
}

// makeOrganizations returns organizations, and zones that hold all that a plan wants for them, and
// where their mail goes.
func makeOrganizations(t *testing.T, n int) ([]description, *resolver.Zones) {
	t.Helper()
	const soa = "@ 3600 SOA ns.provider.test. hostmaster.provider.test. 1 7200 900 1209600 300\n@ 3600 NS ns.provider.test.\n"
	var descriptions []description
	var forward, reverse strings.Builder
	reverse.WriteString("$ORIGIN 8.b.d.0.1.0.0.2.ip6.arpa.\n" + soa)
	for i := range n {
		text := fmt.Sprintf("domain: o%d.test\ncontacts: {mta: {name: John Smith}, admin: {name: Tom Smith}, abuse: {name: Support}}\nmtas:\n", i)
		for j := range 5 {
			text += fmt.Sprintf("- {id: mx%d, addresses: ['2001:db8:%x:%x::1', '2001:db8:%x:%x::2'], ptr: mta%d.o%d.test, helo: post%d.o%d.test, dedicated: true}\n", j, i, j, i, j, j, i, j, i)
		}
		o, err := org.Parse("", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		descriptions = append(descriptions, description{source: o.Domain, org: o})
		fmt.Fprintf(&forward, "$ORIGIN %s\n%s@ 3600 MX 10 post0\n", o.Domain, soa)
		records, _ := plan.Want(o)
		for _, r := range records {
			if dnsname.Under(r.RR.Header().Name, o.Domain) {
				fmt.Fprintln(&forward, r)
			} else {
				fmt.Fprintln(&reverse, r)
			}
		}
	}
	zones, err := resolver.ParseZones(forward.String() + reverse.String())
	if err != nil {
		t.Fatal(err)
	}
	return descriptions, zones
}

// processor returns how long the program has had a processor: on a machine that others
// use, the time by the clock says little.
func processor(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// watch keeps the largest size of the heap in peak until stop is called.
func watch(peak *uint64) (stop func()) {
	runtime.GC()
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for tick := time.Tick(time.Millisecond); ; {
			metrics.Read(sample)
			*peak = max(*peak, sample[0].Value.Uint64())
			select {
			case <-done:
				return
			case <-tick:
			}
		}
	}()
	return func() {
		close(done)
		<-stopped
	}
}
