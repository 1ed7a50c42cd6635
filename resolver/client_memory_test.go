package resolver_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/lab/cost"
	"github.com/bonafide-mta/bonafide/resolver"
)

// startHuge serves one message, whose ID it adapts, over TCP, to any number of clients
// without a copy for each.
func startHuge(t *testing.T, message []byte) netip.AddrPort {
	t.Helper()
	return startTCP(t, func(conn net.Conn) {
		query := make([]byte, 2+dns.MinMsgSize)
		if n, err := conn.Read(query); err != nil || n < 4 {
			return
		}
		head := binary.BigEndian.AppendUint16(nil, uint16(len(message)))
		parts := net.Buffers{append(head, query[2:4]...), message[2:]}
		_, _ = parts.WriteTo(conn)
	})
}

// peakHeap returns the most bytes of heap in use while work runs, above those before. What
// the collector has not found yet counts, too.
func peakHeap(work func()) int64 {
	inUse := func() int64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		return int64(sample[0].Value.Uint64())
	}
	runtime.GC()
	before, peak := inUse(), int64(0)
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			peak = max(peak, inUse())
			select {
			case <-done:
				return
			case <-time.After(200 * time.Microsecond):
			}
		}
	})
	work()
	close(done)
	watching.Wait()
	return max(peak, inUse()) - before
}

// As many questions as the checks of one message may ask, at once, each answered by the
// worst that 64 KiB can hold: the figures in the documentation of Client.
func TestClientMemory(t *testing.T) {
	const kept = 1700
	const self = "\xc0\x0c" // a pointer to the name asked
	long := strings.Repeat("\x3f"+strings.Repeat("\x01", 63), 3) + "\x3d" + strings.Repeat("\x01", 61) + "\x00"
	const first = 12 + 18 + 4 // the offset of the first record
	again := string([]byte{0xc0 | first>>8, first & 0xff})
	cut := string([]byte{0xc0 | (first+64)>>8, (first + 64) & 0xff}) // without its first label

	for _, tt := range []struct {
		name    string
		atOnce  int
		qtype   uint16
		record  func(i int) []byte
		err     error
		records int
		peak    int64 // MiB, of all questions together
		live    int64 // KiB, of one answer
	}{
		{"names in records of another type", 117, dns.TypeA, func(int) []byte {
			return record(long, dns.TypeHIP, "\x00\x00\x00\x00"+strings.Repeat(again, 32000))
		}, resolver.ErrMalformed, 0, 32, 0},
		{"records of other owners", 117, dns.TypeMX, func(i int) []byte {
			if i == 0 {
				return record(long, dns.TypeMX, "\x00\x00"+self)
			}
			return record(again, dns.TypeMX, "\x00\x00"+again)
		}, resolver.ErrMalformed, 0, 32, 0},
		{"options", 117, dns.TypeA, func(i int) []byte {
			if i == 0 {
				return record(self, dns.TypeA, "\xc0\x00\x02\x01")
			}
			return record(self, dns.TypeOPT, strings.Repeat("\x00\x03\x00\x00", 16000))
		}, nil, 1, 32, 1},
		{"long names", 12, dns.TypeMX, func(i int) []byte {
			if i == 0 {
				return record(self, dns.TypeMX, "\x00\x00"+long)
			}
			return record(self, dns.TypeMX, "\x00\x00\x02"+string([]byte{byte(i>>6 | 0x80), byte(i&0x3f | 0x80)})+cut)
		}, resolver.ErrMalformed, 0, 100, 0},
		{"long names, as many as are kept", 12, dns.TypeMX, func(i int) []byte {
			switch {
			case i == 0:
				return record(self, dns.TypeMX, "\x00\x00"+long)
			case i == kept:
				return nil
			}
			return record(self, dns.TypeMX, "\x00\x00\x02"+string([]byte{byte(i>>6 | 0x80), byte(i&0x3f | 0x80)})+cut)
		}, nil, kept, 100, 2048},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw := message(new(dns.Msg).SetQuestion("www.example.test.", dns.TypeA), func(yield func([]byte) bool) {
				for i := 0; tt.record(i) != nil && yield(tt.record(i)); i++ {
				}
			})
			binary.BigEndian.PutUint16(raw[12+18:], tt.qtype)
			c := resolver.Client{Servers: []netip.AddrPort{startHuge(t, raw)}, Rounds: 1, TryTimeout: 20 * time.Second, Timeout: 20 * time.Second}
			answers := make([]resolver.Answer, tt.atOnce)
			before := cost.Live()
			peak := peakHeap(func() {
				var asking sync.WaitGroup
				for i := range answers {
					asking.Go(func() {
						var err error
						answers[i], err = c.Lookup(t.Context(), "www.example.test.", tt.qtype)
						if !errors.Is(err, tt.err) || len(answers[i].Records) != tt.records {
							t.Errorf("%d records, error %v", len(answers[i].Records), err)
						}
					})
				}
				asking.Wait()
			})
			live := (cost.Live() - before) / int64(tt.atOnce)
			runtime.KeepAlive(answers)
			t.Logf("%d octets, %d times: %d MiB at peak, %d KiB live of each", len(raw), tt.atOnce, peak>>20, live>>10)
			if peak > tt.peak<<20 || live > tt.live<<10+16<<10 {
				t.Errorf("expected at most %d MiB, %d KiB", tt.peak, tt.live)
			}
		})
	}
}
