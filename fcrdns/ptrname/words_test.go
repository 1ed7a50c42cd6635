package ptrname_test

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
)

var update = flag.Bool("update", false, "rewrite the assessments in testdata")

// What words make of names: an address and a name a line, and the assessment and the mail
// word of each.
func TestWords(t *testing.T) {
	const file = "testdata/words.txt"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for line := range strings.Lines(string(want)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			got.WriteString(line)
			continue
		}
		addr, name := netip.MustParseAddr(fields[0]), fields[1]
		a := ptrname.Classify(addr, name)
		fmt.Fprintf(&got, "%s %s %s %.1f", addr, name, a.Kind, a.Score)
		for _, r := range a.Reasons {
			fmt.Fprintf(&got, " %s", r.Code)
			if r.Part != "" {
				fmt.Fprintf(&got, "=%s", r.Part)
			}
		}
		if word := ptrname.MailWord(name + "."); word != "" {
			fmt.Fprintf(&got, " mail:%s", word)
		}
		got.WriteByte('\n')
	}
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("assessments, -update rewrites them (-want +got):\n%s", diff)
	}
}
