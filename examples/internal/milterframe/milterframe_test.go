package milterframe_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"

	"github.com/bonafide-mta/bonafide/examples/internal/milterframe"
	"github.com/bonafide-mta/bonafide/examples/internal/pipenet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// frame puts the length before a frame.
func frame(text string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(text)))) + text
}

// valid are frames as Postfix and Sendmail send them.
var valid = []string{
	"O\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff\xff", "O\x00\x00\x00\x02\x00\x00\x00\x3f\x00\x00\x00\x7f\x00\x00\x00\x00{x}\x00",
	"DCj\x00mx.quay.example\x00{daemon_name}\x00\x00", "DM", "C[192.0.2.10]\x004\x00\x19192.0.2.10\x00", "Cx\x006\x00\x192001:db8::1\x00",
	"Cx\x006\x00\x00IPv6:2001:db8::1\x00", "Clocalhost\x00U", "C\x00U", "Clocalhost\x00L\x00\x00/run/socket\x00", "H\x00", "Hpost.harbour.example\x00",
	"M<>\x00", "M<a@b.example>\x00SIZE=10\x00BODY=8BITMIME\x00", "R<a@b.example>\x00", "R<a@b.example>\x00NOTIFY=NEVER\x00", "T",
	"LSubject\x00hello\r\n\tworld\x00", "LX\x00\x00", "N", "B", "Bbody\r\n\x00", "E", "Elast", "A", "K", "Q", "UFOO bar\x00", "B" + strings.Repeat("x", 100_000),
}

// invalid are frames that do not pass, with part of the error.
var invalid = []struct{ frame, want string }{
	{"", "empty"}, {"O", "three numbers"}, {"O\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff", "three numbers"}, {"D", "missing"}, {"DCj", "NUL"}, {"DCj\x00x", "NUL"},
	{"C", "NUL"}, {"Cx", "NUL"}, {"Cx\x00", "family is missing"}, {"Cx\x00X", "unknown family 'X'"}, {"Cx\x004", "port"}, {"Cx\x004\x00", "port"},
	{"Cx\x004\x00\x19", "NUL"}, {"Cx\x004\x00\x19192.0.2.1", "NUL"}, {"Cx\x006\x00\x19::1\x00::1\x00", "2 strings"}, {"H", "NUL"}, {"Hx", "NUL"}, {"Hx\x00y\x00", "2 strings"},
	{"M", "NUL"}, {"M<>", "NUL"}, {"M<>\x00SIZE=1", "NUL"}, {"R", "NUL"}, {"R<a>", "NUL"}, {"L", "NUL"}, {"Lx", "NUL"}, {"Lx\x00", "1 strings"}, {"Lx\x00y", "NUL"},
	{"Lx\x00y\x00z\x00", "3 strings"}, {"U", "NUL"}, {"Ux", "NUL"}, {"Z", "unknown"}, {"\x00", "unknown"}, {"\xff", "unknown"}, {"B" + strings.Repeat("x", 1<<20), "over 1048576"},
}

func TestCheck(t *testing.T) {
	for _, f := range valid {
		if err := milterframe.Check([]byte(f)); err != nil {
			t.Errorf("%.50q: %v", f, err)
		}
	}
	for _, tt := range invalid {
		if err := milterframe.Check([]byte(tt.frame)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.50q: %v", tt.frame, err)
		}
	}
}

func TestReader(t *testing.T) {
	var good strings.Builder
	for _, f := range valid {
		good.WriteString(frame(f))
	}
	for _, tt := range append(invalid[:len(invalid):len(invalid)], struct{ frame, want string }{"", ""}) {
		text := good.String() + frame(tt.frame)
		if tt.want == "" {
			text = good.String()
		}
		got, err := io.ReadAll(milterframe.NewReader(iotest.HalfReader(strings.NewReader(text))))
		if string(got) != good.String() || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.50q: %d of %d octets, %v", tt.frame, len(got), good.Len(), err)
		}
	}
	for _, text := range []string{"\x00", "\x00\x00\x00", "\x00\x00\x00\x02Q", "\x00\x00\x00\x05"} {
		_, err := io.ReadAll(milterframe.NewReader(strings.NewReader(text)))
		if _, ok := errors.AsType[*milterframe.Error](err); !ok || !strings.Contains(err.Error(), "cut off") {
			t.Errorf("%q: %v", text, err)
		}
	}
	failed := errors.New("failed")
	r := milterframe.NewReader(io.MultiReader(strings.NewReader("\x00\x00\x00\x01Q\x00"), iotest.ErrReader(failed)))
	if got, err := io.ReadAll(r); len(got) != 5 || err != failed {
		t.Errorf("%q, %v", got, err)
	}
	if n, err := r.Read(nil); n != 0 || err != nil {
		t.Error(n, err)
	}
}

// A length takes no memory before as much arrives.
func TestPromise(t *testing.T) {
	const times = 1000
	for _, text := range []string{"\xff\xff\xff\xffO", "\x00\x10\x00\x00B"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range times {
			io.ReadAll(milterframe.NewReader(strings.NewReader(text)))
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / times; each > 8<<10 {
			t.Errorf("%q: %d octets", text, each)
		}
	}
}

// The greatest frame passes, and leaves nothing behind.
func TestGreatest(t *testing.T) {
	text := frame("B" + strings.Repeat("x", milterframe.MaxLength-1))
	got, err := io.ReadAll(milterframe.NewReader(strings.NewReader(text + frame("Q"))))
	if string(got) != text+frame("Q") || err != nil {
		t.Errorf("%d octets, %v", len(got), err)
	}
}

// A bad frame closes its connection and is one line of the log.
func TestListener(t *testing.T) {
	var log bytes.Buffer
	pipe := pipenet.Listen(netip.MustParseAddrPort("127.0.0.1:10041"))
	l := milterframe.NewListener(pipe, slog.New(slog.NewTextHandler(&log, nil)))
	accepted := make(chan net.Conn)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- conn
	}()
	client, err := pipe.Dial(netip.MustParseAddr("192.0.2.25"))
	if err != nil {
		t.Fatal(err)
	}
	server := <-accepted
	io.WriteString(client, frame("Q")+frame("")+frame("Q"))
	got, err := io.ReadAll(server)
	if string(got) != frame("Q") || !errors.Is(err, net.ErrClosed) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if n, err := client.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Error(n, err)
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `msg=closed peer=192.0.2.25:1024 err="milter: an empty frame"`) {
		t.Errorf("log: %s", text)
	}
	client.Close()
	l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// FuzzReader: what comes out is the longest beginning of what went in that is whole frames
// that pass.
func FuzzReader(f *testing.F) {
	for _, text := range valid {
		if len(text) < 100 {
			f.Add([]byte(frame(text)+frame("Q")), byte(1))
		}
	}
	for _, tt := range invalid {
		if len(tt.frame) < 100 {
			f.Add([]byte(frame("N")+frame(tt.frame)), byte(3))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, chunk byte) {
		want := 0
		for rest := text; len(rest) >= 4; rest = text[want:] {
			length := binary.BigEndian.Uint32(rest)
			if length > milterframe.MaxLength || uint64(len(rest)) < 4+uint64(length) || milterframe.Check(rest[4:4+length]) != nil {
				break
			}
			want += 4 + int(length)
		}
		r := milterframe.NewReader(bytes.NewReader(text))
		var got []byte
		var err error
		for b := make([]byte, int(chunk)+1); err == nil; {
			var n int
			n, err = r.Read(b)
			got = append(got, b[:n]...)
		}
		if !bytes.Equal(got, text[:want]) || (err == io.EOF) != (want == len(text)) {
			t.Errorf("%d octets of %d, %v", len(got), want, err)
		}
	})
}
