package identity_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/mail"
	"net/textproto"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/emersion/go-msgauth/authres"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/internal/lab/cost"
)

const forgedField = "Authentication-Results: mx.here.test; spf=pass\r\n"

func strip(t testing.TB, message string) string {
	t.Helper()
	out, err := io.ReadAll(identity.StripForged(strings.NewReader(message), "mx.here.test"))
	if err != nil {
		t.Errorf("%.200q: %v", message, err)
	}
	return string(out)
}

func TestStripForged(t *testing.T) {
	for _, message := range []string{
		"", "\r\n", "\n", "\r\nbody", "Subject: x\r\n\r\nbody\r\n", "Subject: x\n\nbody\n", "Subject: x", "Subject: x\r\n y\r\n\tz\r\n\r\n",
		"A: 1\r\n\r\n" + forgedField, "A: 1\n\n" + forgedField, "A: 1\r\n\n" + forgedField, "A: 1\n\r\n" + forgedField, "\r\n" + forgedField,
		"A: 1\r\n.\r\n..\r\n.A: 1\r\n\r\n.\r\n", "A: 1\r\n\r\n\x00\xff\r\r\n\x1b", "Hello\r\nworld\r\n", ": x\r\n", "From a@b.test Mon Jan  1 12:00:00 2026\r\nA: 1\r\n\r\n",
		"A\r\nB\nC\n\xff: x\r\n\r\n", "Auth", "Authentication-Results", "Authentication-Results\r\n",
		"Authentication-Results: mx.other.test; none\r\n\r\n", "X-Authentication-Results: mx.here.test\r\n", "Authentication-Results-X: mx.here.test\r\n",
		"ARC-Authentication-Results: i=1; mx.here.test; none\r\n", "Authentication-Results mx.here.test: x\r\n", "A: 1\r\nAuthentication-Results; mx.here.test: x\r\n",
		"A: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", "Authentication-Results: mx.other.test;" + strings.Repeat(" none;", 1<<18) + "\r\n\r\n", strings.Repeat("A: 1\r\n", 50000) + "\r\n" + strings.Repeat("body\r\n", 50000),
	} {
		if got := strip(t, message); got != message {
			t.Errorf("%.200q: %.200q", message, got)
		}
	}
	for _, tt := range []struct{ message, want string }{
		{forgedField + "A: 1\r\n\r\n" + forgedField, "A: 1\r\n\r\n" + forgedField},
		{"A: 1\r\n" + forgedField + "B: 2\r\n\r\n", "A: 1\r\nB: 2\r\n\r\n"},
		{forgedField + " x\r\n" + forgedField, ""},
		{forgedField + "\r\nbody", "\r\nbody"},
		{strings.TrimSpace(forgedField), ""},
		{"Authentication-Results:", ""},
		{strings.ToUpper(forgedField), ""},
		{"Authentication-Results:\r\n mx.here.test; none\r\nA: 1\r\n", "A: 1\r\n"},
		{"Authentication-Results:\r\n \r\n mx.here.test; none\r\nA: 1\r\n", "A: 1\r\n"},
		{"Authentication-Results: mx.here.test; none\nA: 1\n\nb\n", "A: 1\n\nb\n"},
		{"A: 1\nAuthentication-Results: mx.here.test; none\r\nB: 2\n\n", "A: 1\nB: 2\n\n"},
		{"A: 1\r\nAuthentication-Results: spf=pass\r\n\r\n", "A: 1\r\n\r\n"},
		// Obsolete and worse names.
		{"Authentication-Results \t: mx.here.test; none\r\nA: 1\r\n", "A: 1\r\n"},
		{"Authentication-Results\r\n\t: mx.here.test; none\r\nA: 1\r\n", "A: 1\r\n"},
		{"\x00Authentication\x00-Results\x00: mx.here.test; none\r\nA: 1\r\n", "A: 1\r\n"},
		{"\xef\xbb\xbfAuthentication-Results\u00a0: mx.here.test; none\r\nA: 1\r\n", "A: 1\r\n"},
		// What does not end the header.
		{"Hello\r\n" + forgedField + "\r\n", "Hello\r\n\r\n"},
		{"A: 1\r\n \r\n" + forgedField + "\r\n", "A: 1\r\n \r\n\r\n"},
		{"A: 1\r\n\x00\r\n" + forgedField + "\r\n", "A: 1\r\n \r\n\r\n"},
		{"A: 1\r\r\n" + forgedField + "\r\n", "A: 1 \r\n\r\n"},
		{"A: 1\r\n\r\r\n" + forgedField + "\r\n" + forgedField, "A: 1\r\n \r\n\r\n" + forgedField},
		// NUL and a lone CR are spaces.
		{"Subject: a\rb\x00c\r\n\r\nd\re\x00", "Subject: a b c\r\n\r\nd\re\x00"},
		{"A: 1\r", "A: 1 "}, {"A: 1\r\r\n\r\n", "A: 1 \r\n\r\n"}, {"A\r\r\r\n", "A  \r\n"},
		{"A: 1\r\n\x00B: 2\r\n\rC: 3\n", "A: 1\r\n B: 2\r\n C: 3\n"},
		{"A: " + strings.Repeat("x\r\x00", 1<<15) + "\r\n", "A: " + strings.Repeat("x  ", 1<<15) + "\r\n"},
		{"A: 1\r" + forgedField + "B: 2\r\n\r\n", "A: 1 " + forgedField + "B: 2\r\n\r\n"},
		{"A: 1\n\r" + forgedField + "B: 2\n", "A: 1\n " + forgedField + "B: 2\n"},
		{"A: 1\rAuthentication-Results: mx.here.test", "A: 1 Authentication-Results: mx.here.test"},
		{"Authentication-Results: mx.other.test; none\rA: 1\r\n", "Authentication-Results: mx.other.test; none A: 1\r\n"},
		{"Authentication-Results: mx.other.test\rx; none\r\nA: 1\r\n", "A: 1\r\n"},
		{"Authentication-Results\r: mx.here.test; none\r\nA: 1\r\n", "A: 1\r\n"},
		{"Auth\rentication-Results: mx.here.test; none\r\nA: 1\r\n", "A: 1\r\n"},
		{"Authentication-Results\r\n\r : mx.here.test; none\r\nA: 1\r\n", "A: 1\r\n"},
		{"Authentication-Results\r\n" + forgedField + "\x00 : mx.here.test; none\r\nA: 1\r\n", "Authentication-Results\r\nA: 1\r\n"},
		{"B: 2\r\nAuthentication-Results: mx\r\n\x00 .here.test; none\r\nA: 1\r\n", "B: 2\r\nA: 1\r\n"},
		// The beginning would continue a field that is put above it.
		{" by mx.here.test\r\nA: 1\r\n", "by mx.here.test\r\nA: 1\r\n"},
		{" " + forgedField + "A: 1\r\n", "A: 1\r\n"},
		{" \t\r\n\x00\r\n\r \r\n x\r\n y\r\n", "x\r\n y\r\n"},
		{forgedField + "\x00 x\r\n", ""},
		{" " + forgedField + "\r\nbody", "\r\nbody"},
		{" ", ""}, {"\r", ""}, {"\x00\n\n", "\n"},
		// A field that is too long to decide.
		{"Authentication-Results: " + strings.Repeat("(x)", 1<<15) + "mx.other.test; none\r\nA: 1\r\n", "A: 1\r\n"},
		{"Authentication-Results" + strings.Repeat(" ", 1<<15) + ": mx.other.test; none\r\n x\r\nA: 1\r\n", "A: 1\r\n"},
		{"Authentication-Results: mx.here.test;" + strings.Repeat(" none;", 1<<15) + "\r\nA: 1\r\n", "A: 1\r\n"},
	} {
		if got := strip(t, tt.message); got != tt.want {
			t.Errorf("%.200q: got %.200q, want %.200q", tt.message, got, tt.want)
		}
	}
}

// An authserv-id that is nobody's, and one in another spelling.
func TestStripForgedID(t *testing.T) {
	const message = "Authentication-Results: xn--bcher-kva.test; none\r\nAuthentication-Results: spf=pass\r\nA: 1\r\n"
	for id, want := range map[string]string{
		"":             "Authentication-Results: xn--bcher-kva.test; none\r\nA: 1\r\n",
		"bücher.test.": "A: 1\r\n",
	} {
		if got, err := io.ReadAll(identity.StripForged(strings.NewReader(message), id)); string(got) != want || err != nil {
			t.Errorf("%q: %q, %v", id, got, err)
		}
	}
}

// Fields of other names go whatever they say, however they are spelled.
func TestStripForgedOthers(t *testing.T) {
	const message = "X-Bonafide: explicit []\r\n\tfolded\r\nx-BONAFIDE\t: none\r\nX-Bonafide-2: a\r\nX-Bona: b\r\nReceived-SPF: pass\r\nA: 1\r\n\r\nX-Bonafide: body\r\n"
	for _, tt := range []struct {
		others []string
		want   string
	}{
		{nil, message},
		{[]string{"x-bonafide"}, "X-Bonafide-2: a\r\nX-Bona: b\r\nReceived-SPF: pass\r\nA: 1\r\n\r\nX-Bonafide: body\r\n"},
		{[]string{"", "X-Bonafide", "Received-SPF"}, "X-Bonafide-2: a\r\nX-Bona: b\r\nA: 1\r\n\r\nX-Bonafide: body\r\n"},
	} {
		if got, err := io.ReadAll(identity.StripForged(strings.NewReader(message), "mx.here.test", tt.others...)); string(got) != tt.want || err != nil {
			t.Errorf("%q: %q, %v", tt.others, got, err)
		}
	}
	hidden := "X-Bonafide" + strings.Repeat(" ", 20<<10) + ": explicit\r\nA: 1\r\n"
	if got, err := io.ReadAll(identity.StripForged(strings.NewReader(hidden), "mx.here.test", "X-Bonafide")); string(got) != "A: 1\r\n" || err != nil {
		t.Errorf("%.40q, %v", got, err)
	}
}

// An error comes where it was, and remains.
func TestStripForgedErrors(t *testing.T) {
	failure := errors.New("lost")
	for _, tt := range []struct{ before, want string }{
		{"", ""}, {"A: 1\r\nB", "A: 1\r\nB"}, {"A: 1\r", "A: 1 "}, {"A: 1\r\n\r\nbody", "A: 1\r\n\r\nbody"},
		{forgedField, ""}, {"A: 1\r\n" + strings.TrimSpace(forgedField), "A: 1\r\n"}, {"Authentication-Results: mx.other.test", "Authentication-Results: mx.other.test"}, {"Authen", "Authen"},
	} {
		for _, err := range []error{failure, io.ErrUnexpectedEOF} {
			r := identity.StripForged(io.MultiReader(strings.NewReader(tt.before), iotest.ErrReader(err)), "mx.here.test")
			got, gotErr := io.ReadAll(r)
			_, again := r.Read(make([]byte, 1))
			if string(got) != tt.want || gotErr != err || again != err {
				t.Errorf("%q: %q, %v, %v", tt.before, got, gotErr, again)
			}
		}
	}
	r := identity.StripForged(iotest.TimeoutReader(strings.NewReader(strings.Repeat("A: 1\r\n", 1000))), "mx.here.test")
	if got, err := io.ReadAll(r); len(got) != 4096 || err != iotest.ErrTimeout {
		t.Errorf("%d octets, %v", len(got), err)
	}
	if n, err := identity.StripForged(strings.NewReader("A"), "").Read(nil); n != 0 || err != nil {
		t.Errorf("nothing read: %d, %v", n, err)
	}
}

// However little a Read gives, and takes, the text is the same.
func TestStripForgedReaders(t *testing.T) {
	message := "A: 1\r" + forgedField + forgedField + " x\r\n" + "Authentication-Results: mx.other.test; none\r\n" + strings.Repeat("B: 2\r\n", 2000) + "\r\n" + strings.Repeat("body\r", 2000)
	want := minusForged(message)
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"one":  iotest.OneByteReader,
		"half": iotest.HalfReader,
		"data": iotest.DataErrReader,
		"none": func(r io.Reader) io.Reader { return iotest.OneByteReader(idle(r)) },
	} {
		if err := iotest.TestReader(identity.StripForged(wrap(strings.NewReader(message)), "mx.here.test"), []byte(want)); err != nil && name != "none" {
			t.Errorf("%s: %v", name, err)
		}
		var out bytes.Buffer
		r := iotest.OneByteReader(identity.StripForged(wrap(strings.NewReader(message)), "mx.here.test"))
		if _, err := io.Copy(&out, r); err != nil || out.String() != want {
			t.Errorf("%s: %d octets, %v", name, out.Len(), err)
		}
	}
}

// idle returns a reader that gives nothing at every second Read.
func idle(r io.Reader) io.Reader {
	gave := false
	return readerFunc(func(p []byte) (int, error) {
		if gave = !gave; gave {
			return 0, nil
		}
		return r.Read(p)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// The memory is bounded, whatever is in the message.
func TestStripForgedMemory(t *testing.T) {
	const size = 1 << 20
	for _, unit := range []string{"A: 1\r\n", "x", "\r", " ", "\x00", "a\r", "Authentication-Results\r", forgedField, "Authentication-Results: mx.other.test; none\r\n", "Authentication-Results: (", "Authentication-Results: mx.other.test;\r\n "} {
		r := identity.StripForged(io.LimitReader(&endless{unit: unit}, size), "mx.here.test")
		c := cost.Once(func() any {
			if _, err := io.Copy(io.Discard, r); err != nil {
				t.Error(err)
			}
			return r
		})
		if c.Live > 64<<10 {
			t.Errorf("%q: %d KiB", unit, c.Live>>10)
		}
	}
	// What was not decided yet.
	for _, unit := range []string{"Authentication-Results: ", "Authentication-Results"} {
		r := identity.StripForged(io.MultiReader(strings.NewReader(unit), io.LimitReader(&endless{unit: " "}, 16<<10-100), readerFunc(func([]byte) (int, error) { return 0, nil })), "mx.here.test")
		c := cost.Once(func() any { r.Read(make([]byte, 1)); return r })
		if c.Live > 64<<10 {
			t.Errorf("%q: %d KiB", unit, c.Live>>10)
		}
	}
}

// endless repeats a text, a first time with the name of the field where that is not in it.
type endless struct {
	unit string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.unit[e.at%len(e.unit)]
		e.at++
	}
	return len(p), nil
}

// minusForged is what StripForged does, for a text in memory.
func minusForged(message string) string {
	var out strings.Builder
	for field := ""; ; {
		line, rest, lf := strings.Cut(message, "\n")
		end := ""
		if lf {
			end = "\n"
			if text, ok := strings.CutSuffix(line, "\r"); ok {
				line, end = text, "\r\n"
			}
		}
		line = strings.NewReplacer("\x00", " ", "\r", " ").Replace(line)
		if line == "" || strings.Trim(line[:1], " \t") != "" {
			if !forged(field) {
				out.WriteString(field)
			}
			field = ""
		}
		switch {
		case line == "":
			return out.String() + message
		case field != "" || out.Len() > 0 || strings.Trim(line[:1], " \t") != "":
			field += line + end
		case strings.Trim(line, " \t") != "": // the first line, which white space begins
			field = strings.TrimLeft(line, " \t") + end
		}
		message = rest
	}
}

// forged reports whether a field has the name, for the most lenient reader, and a value that
// claims to be ours.
func forged(field string) bool {
	name, value, ok := strings.Cut(field, ":")
	name = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, name)
	return ok && strings.EqualFold(name, "Authentication-Results") && identity.ForgedResults(value, "mx.here.test")
}

// readHeader reads fields as programs do that differ about what a line is, and which line is
// the end.
func readHeader(text, lineEnds string, ends func(line string) bool) (fields []string) {
	for text != "" {
		i := strings.IndexAny(text, lineEnds) + 1
		if i == 0 {
			i = len(text)
		}
		if i < len(text) && lineEnds == "\r\n" && text[i-1] == '\r' && text[i] == '\n' {
			i++
		}
		line := text[:i]
		text = text[i:]
		switch {
		case ends(line):
			return fields
		case (line[0] == ' ' || line[0] == '\t') && len(fields) > 0:
			fields[len(fields)-1] += line
		default:
			fields = append(fields, line)
		}
	}
	return fields
}

// checkStripped fails if a reader sees a field of ours in a message that was stripped.
func checkStripped(t interface{ Errorf(string, ...any) }, message, out string) {
	report := func(reader, name, value string) {
		id, _, err := authres.Parse(value)
		ours := err == nil && strings.EqualFold(id, "mx.here.test")
		if strings.EqualFold(strings.TrimSpace(name), "Authentication-Results") && (ours || identity.ForgedResults(value, "mx.here.test")) {
			t.Errorf("%q, stripped %q: %s sees %q", message, out, reader, value)
		}
	}
	maps := make(map[string]map[string][]string)
	maps["textproto"], _ = textproto.NewReader(bufio.NewReader(strings.NewReader(out))).ReadMIMEHeader()
	if m, err := mail.ReadMessage(strings.NewReader(out)); err == nil {
		maps["mail"] = m.Header
	}
	for reader, header := range maps {
		for name, values := range header {
			for _, value := range values {
				report(reader, name, value)
			}
		}
	}
	for reader, fields := range map[string][]string{
		"LF":             readHeader(out, "\n", func(line string) bool { return line == "\n" || line == "\r\n" }),
		"CR":             readHeader(out, "\r\n", func(line string) bool { return line == "\n" || line == "\r\n" || line == "\r" }),
		"CR, but an end": readHeader(out, "\r\n", func(line string) bool { return line == "\n" || line == "\r\n" }),
		"fields":         readHeader(out, "\n", func(line string) bool { return !strings.ContainsAny(line, ":") && strings.Trim(line[:1], " \t") != "" }),
		"without CR":     readHeader(strings.ReplaceAll(out, "\r", ""), "\n", func(line string) bool { return line == "\n" }),
		"without both":   readHeader(strings.NewReplacer("\r", "", "\x00", "").Replace(out), "\n", func(line string) bool { return line == "\n" }),
		"without NUL":    readHeader(strings.ReplaceAll(out, "\x00", ""), "\n", func(line string) bool { return line == "\n" || line == "\r\n" }),
	} {
		for _, field := range fields {
			name, value, ok := strings.Cut(field, ":")
			if ok {
				report(reader, name, value)
			}
		}
	}
	// Nothing of the message continues a field that is put above it.
	if first := strings.Trim(strings.NewReplacer("\x00", "", "\r", "").Replace(out[:min(len(out), 100)]), "\x00"); first != "" && (first[0] == ' ' || first[0] == '\t') && !strings.HasPrefix(out, "\r\n") {
		t.Errorf("%q, stripped %q: continues a field above it", message, out)
	}
}

func checkStrip(t interface {
	Errorf(string, ...any)
	Helper()
}, message string) {
	read, err := io.ReadAll(identity.StripForged(strings.NewReader(message), "mx.here.test"))
	out := string(read)
	if want := minusForged(message); out != want || err != nil {
		t.Errorf("%q: got %q, want %q, %v", message, out, want, err)
	}
	checkStripped(t, message, out)
	if slowly, err := io.ReadAll(identity.StripForged(iotest.OneByteReader(strings.NewReader(message)), "mx.here.test")); string(slowly) != out || err != nil {
		t.Errorf("%q: octet by octet %q, %v", message, slowly, err)
	}
	if again := minusForged(out); again != out {
		t.Errorf("%q: stripped %q, again %q", message, out, again)
	}
}

var stripParts = []string{
	"Authentication-Results", "Auth", "entication-Results", "authentication-RESULTS:", ":", " ", "\t", "\r\n", "\n", "\r", "\x00", "\u00a0", "A: 1", "Hello",
	"mx.here.test", "mx.other.test; none", ";", "(", `"`, forgedField, "\r\n\r\n", "\n\n", "X", ".",
}

// Messages of the pieces from which a forger makes one.
func TestStripForgedPieces(t *testing.T) {
	for range 20 {
		rapid.Check(t, func(t *rapid.T) {
			checkStrip(t, strings.Join(rapid.SliceOfN(rapid.SampledFrom(stripParts), 0, 12).Draw(t, "parts"), ""))
		})
	}
}

// FuzzStripForged: no reader finds a field of ours, and the rest is the message.
func FuzzStripForged(f *testing.F) {
	for _, text := range []string{"", " x\r\n", "A: 1\r\n b\r\n\r\nc", "Hello\r\n", "A: 1\r" + forgedField + "\nB", "\n", ":\r\n", "Auth\rentication-Results\r: mx.here.test\r\r\n\r\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, message string) {
		if len(message) < 1<<10 {
			checkStrip(t, message)
		}
	})
}

func BenchmarkStripForged(b *testing.B) {
	for name, message := range map[string]string{
		"header": strings.Repeat("Received: from mail.example.test by mx.here.test with ESMTP; Mon, 1 Jan 2026 12:00:00 +0000\r\n", 10000),
		"body":   "A: 1\r\n\r\n" + strings.Repeat("some text in a line of a body\r\n", 30000),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(message)))
			for b.Loop() {
				if _, err := io.Copy(io.Discard, identity.StripForged(strings.NewReader(message), "mx.here.test")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
