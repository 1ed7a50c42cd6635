//go:build interop

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/examples/internal/demo"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/lab/nameserver"
	"github.com/bonafide-mta/bonafide/resolver"
)

// TestInteropNSD audits the demonstration as NSD serves it: the findings are
// those of the zone file, except for the server that answered.
func TestInteropNSD(t *testing.T) {
	server := startNSD(t, demo.OrganizationZone)
	dir := t.TempDir()
	orgFile := filepath.Join(dir, "org.yaml")
	if err := os.WriteFile(orgFile, demoOrg, 0o644); err != nil {
		t.Fatal(err)
	}
	zoneFile := filepath.Join(dir, "demo.zone")
	if err := os.WriteFile(zoneFile, []byte(demo.OrganizationZone), 0o644); err != nil {
		t.Fatal(err)
	}
	fromFile := auditJSON(t, "-org", orgFile, "-allow-documentation", "-zone", zoneFile)
	fromNSD := auditJSON(t, "-org", orgFile, "-allow-documentation", "-server", server.String())
	sources := 0
	for _, report := range []*report.Report{fromFile, fromNSD} {
		report.Time = time.Time{}
		for i := range report.Findings {
			for j := range report.Findings[i].Evidence {
				e := &report.Findings[i].Evidence[j]
				if e.Server == server.String() {
					sources++
				}
				e.Server = ""
			}
		}
	}
	if diff := cmp.Diff(fromFile, fromNSD); diff != "" {
		t.Errorf("findings differ (-zone file, +NSD):\n%s", diff)
	}
	t.Logf("%d findings equal, %d pieces of evidence from NSD", len(fromNSD.Findings), sources)
	if sources == 0 || len(fromNSD.Findings) == 0 {
		t.Error("NSD was not asked")
	}
}

func auditJSON(t *testing.T, args ...string) *report.Report {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), append(args, "-json"), &stdout, &stderr); status != 1 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	report := new(report.Report)
	if err := json.Unmarshal(stdout.Bytes(), report); err != nil {
		t.Fatal(err)
	}
	return report
}

// startNSD serves the zones of a text. None of them may lie in another one.
func startNSD(t *testing.T, text string) netip.AddrPort {
	t.Helper()
	zones, err := resolver.ParseZones(text)
	if err != nil {
		t.Fatal(err)
	}
	var served []nameserver.Zone
	for _, apex := range zones.Origins() {
		var b strings.Builder
		for rr := range zones.Records() {
			if dnsname.Under(rr.Header().Name, apex) {
				fmt.Fprintln(&b, rr)
			}
		}
		served = append(served, nameserver.Zone{Apex: apex, Text: b.String()})
	}
	return nameserver.NSD(t, served...).Addr
}
