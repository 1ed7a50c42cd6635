package resolver_test

import (
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/resolver"
)

// settings are the exported fields of a Client.
type settings struct {
	Servers             []string
	TryTimeout, Timeout time.Duration
	Rounds              int
	Rotate, TrustAD     bool
}

func settingsOf(c *resolver.Client) settings {
	s := settings{TryTimeout: c.TryTimeout, Timeout: c.Timeout, Rounds: c.Rounds, Rotate: c.Rotate, TrustAD: c.TrustAD}
	for _, server := range c.Servers {
		s.Servers = append(s.Servers, server.String())
	}
	return s
}

func TestReadResolvConf(t *testing.T) {
	local := []string{"127.0.0.1:53"}
	for _, tt := range []struct {
		name, text string
		want       settings
		err        string
	}{
		{name: "empty", want: settings{Servers: local}},
		{name: "no nameserver", text: "search example.test\n; nameserver 192.0.2.1\n", want: settings{Servers: local}},
		{
			name: "usual",
			text: "# made by hand\ndomain example.test\nsearch example.test test\nnameserver 192.0.2.53\nnameserver\t2001:db8::53   # second\noptions edns0 trust-ad\n",
			want: settings{Servers: []string{"192.0.2.53:53", "[2001:db8::53]:53"}, TrustAD: true},
		},
		{
			name: "all options, in several lines",
			text: "options timeout:1 attempts:3\noptions rotate ndots:5 no-such-option:x\nnameserver 192.0.2.53",
			want: settings{Servers: []string{"192.0.2.53:53"}, TryTimeout: time.Second, Rounds: 3, Rotate: true},
		},
		{name: "Windows line ends", text: "nameserver 192.0.2.53\r\n\r\noptions rotate\r\n", want: settings{Servers: []string{"192.0.2.53:53"}, Rotate: true}},
		{name: "zone", text: "nameserver fe80::1%eth0", want: settings{Servers: []string{"[fe80::1%eth0]:53"}}},
		{name: "port", text: "nameserver [::1]:5353", want: settings{Servers: []string{"[::1]:5353"}}},
		{
			name: "three servers count, and their tries take longer than 10 s",
			text: strings.Repeat("nameserver 192.0.2.1\n", 4),
			want: settings{Servers: []string{"192.0.2.1:53", "192.0.2.1:53", "192.0.2.1:53"}, Timeout: 12 * time.Second},
		},
		{
			name: "upper limits", text: "options timeout:31 attempts:99999999999999999999",
			want: settings{Servers: local, TryTimeout: 30 * time.Second, Rounds: 5, Timeout: 150 * time.Second},
		},
		{name: "lower limits", text: "options timeout:0 attempts:0", want: settings{Servers: local, TryTimeout: time.Second, Rounds: 1}},
		{name: "unknown line", text: "sortlist 192.0.2.0\nlookup file bind\n", want: settings{Servers: local}},

		{name: "no address", text: "\nnameserver\n", err: "/etc/resolv.conf:2: nameserver without an address"},
		{
			name: "a name", text: "nameserver ns.example.test",
			err: `/etc/resolv.conf:1: "ns.example.test" is no DNS server: want an IP address, also with a port as in 192.0.2.53:5353 or [2001:db8::53]:5353`,
		},
		{
			name: "a fourth that is none", text: strings.Repeat("nameserver 192.0.2.1\n", 3) + "nameserver 192.0.2",
			err: `/etc/resolv.conf:4: "192.0.2" is no DNS server: want an IP address, also with a port as in 192.0.2.53:5353 or [2001:db8::53]:5353`,
		},
		{name: "no time", text: "options rotate timeout", err: `/etc/resolv.conf:1: option "timeout": want a number of 1 to 30`},
		{name: "negative", text: "options attempts:-1", err: `/etc/resolv.conf:1: option "attempts:-1": want a number of 1 to 5`},
		{name: "no number", text: "options timeout:2s", err: `/etc/resolv.conf:1: option "timeout:2s": want a number of 1 to 30`},
		{name: "endless line", text: "#\n" + strings.Repeat("x", 70_000), err: "/etc/resolv.conf:2: bufio.Scanner: token too long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := resolver.ReadResolvConf("/etc/resolv.conf", strings.NewReader(tt.text))
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Fatalf("error %v\nwant  %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, settingsOf(c)); diff != "" {
				t.Error("(-want +got)\n" + diff)
			}
		})
	}
}

func TestReadResolvConfReader(t *testing.T) {
	_, err := resolver.ReadResolvConf("x", iotest.ErrReader(io.ErrClosedPipe))
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v", err)
	}
}

// The machine may have a resolv.conf or not, and we must not ask its servers.
func TestSystemClient(t *testing.T) {
	c, err := resolver.SystemClient()
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		t.Fatal(err)
	case len(c.Servers) == 0:
		t.Error("no servers")
	}
}

func TestParseServer(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.53":              "192.0.2.53:53",
		"192.0.2.53:5353":         "192.0.2.53:5353",
		"2001:db8::1":             "[2001:db8::1]:53",
		"[2001:db8::1]":           "[2001:db8::1]:53",
		"[2001:db8::1]:5353":      "[2001:db8::1]:5353",
		"fe80::1%eth0":            "[fe80::1%eth0]:53",
		"[fe80::1%eth0]:5353":     "[fe80::1%eth0]:5353",
		"":                        "",
		"localhost":               "",
		"ns.example.test:53":      "",
		"192.0.2":                 "",
		"192.0.2.53:":             "",
		"192.0.2.53:0":            "",
		"192.0.2.53:65536":        "",
		"192.0.2.53:domain":       "",
		"[192.0.2.53]":            "",
		"[2001:db8::1":            "",
		"2001:db8::1:2:3:4:5:6:7": "",
		" 192.0.2.53":             "",
		"udp://192.0.2.53":        "",
	} {
		got, err := resolver.ParseServer(text)
		if want == "" {
			if err == nil || got != (netip.AddrPort{}) || strings.Contains(err.Error(), "\n") {
				t.Errorf("ParseServer(%q) = %v, error %v", text, got, err)
			}
			continue
		}
		if err != nil || got.String() != want {
			t.Errorf("ParseServer(%q) = %v, error %v, want %s", text, got, err, want)
		}
	}
}
