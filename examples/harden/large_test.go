package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

var records = flag.Int("harden.records", 10_000, "records of the zone of TestLarge")

// writeLarge writes a zone as a large organization may have one: six hosts in ten names,
// of which some have an IPv6 address too, aliases, mail domains and delegations, in no
// order. It returns how many names are to be hardened.
func writeLarge(w io.Writer, n int) (names int, err error) {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := bufio.NewWriter(w)
	fmt.Fprint(b, "$ORIGIN example.test.\n$TTL 3600\n@ SOA ns.other.test. hostmaster 1 7200 900 1209600 300\n@ NS ns.other.test.\n")
	written := 2
	for i := 0; written < n; i++ {
		name := fmt.Sprintf("h%x-%d", r.Uint32(), i)
		switch i % 10 {
		case 7:
			fmt.Fprintf(b, "%s CNAME www\n", name)
			written++
		case 8:
			fmt.Fprintf(b, "%s A 192.0.2.80\n%[1]s MX 10 in.other.test.\n", name)
			written += 2
		case 9:
			fmt.Fprintf(b, "%s NS ns.%[1]s\nns.%[1]s A 192.0.2.53\n", name)
			written += 2
		default:
			fmt.Fprintf(b, "%s A 192.0.2.%d\n", name, r.IntN(256))
			written++
			if i%3 == 0 {
				fmt.Fprintf(b, "%s AAAA 2001:db8::%x\n", name, r.Uint32()>>16)
				written++
			}
			names++
		}
	}
	return names, b.Flush()
}

// A large zone is hardened by the program as a user runs it: every host, and nothing
// else. It prints the time and the memory of the process, of a larger zone by
//
//	go test -v -run Large ./examples/harden -harden.records=1000000
func TestLarge(t *testing.T) {
	zone := filepath.Join(t.TempDir(), "large.zone")
	f, err := os.Create(zone)
	if err != nil {
		t.Fatal(err)
	}
	names, err := writeLarge(f, *records)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("harden") // TestMain puts it there
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-all", "-zone", zone)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	mx, txt, left := 0, 0, 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "; left alone: "):
			left++
		case strings.HasSuffix(line, ` 3600 IN MX 0 . ; null-mx`):
			mx++
		case strings.HasSuffix(line, ` 3600 IN TXT "v=spf1 -all" ; null-spf`):
			txt++
		case !strings.HasPrefix(line, "; null-") && !strings.HasPrefix(line, "; not known: ") && !strings.HasPrefix(line, "; with these, raise the serial ") && !strings.HasPrefix(line, "; names without mail: ") && line != "$ORIGIN example.test.":
			t.Errorf("unexpected line: %s", line)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	if mx != names || txt != names {
		t.Errorf("%d Null MX and %d null SPF records for %d names", mx, txt, names)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if ok && runtime.GOOS == "linux" { // elsewhere it is not in KiB
		t.Logf("%d records: %d names hardened, %d left alone; %.3f s, of them %.3f s of processor; %d MiB at most",
			*records, names, left, took.Seconds(), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), usage.Maxrss/1024)
	}
}
