//go:build interop

package nameserver

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// NSD starts NSD with these zones.
func NSD(t testing.TB, zones ...Zone) Server {
	t.Helper()
	p := program{binary: "nsd", pkg: "nsd", version: "-v", args: []string{"-d"}}
	p.setZones(zones)
	p.conf = func(addr netip.AddrPort, dir string) string {
		var conf strings.Builder
		// NSD would write a database where it may not, and limit the rate of answers.
		fmt.Fprintf(&conf, `server:
  ip-address: %s@%d
  username: ""
  chroot: ""
  zonesdir: "%[3]s"
  database: ""
  zonelistfile: "%[3]s/zone.list"
  xfrdfile: "%[3]s/xfrd.state"
  xfrdir: "%[3]s"
  pidfile: "%[3]s/nsd.pid"
  server-count: 1
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  minimal-responses: yes
  do-ip6: no
remote-control:
  control-enable: no
`, addr.Addr(), addr.Port(), dir)
		for i, zone := range zones {
			fmt.Fprintf(&conf, "zone:\n  name: %q\n  zonefile: %q\n", zone.Apex, zoneFile(i))
			if zone.Transfer {
				conf.WriteString("  provide-xfr: 127.0.0.1 NOKEY\n")
			}
		}
		return conf.String()
	}
	return p.start(t)
}

// Knot starts Knot DNS with these zones. It is the one that signs.
func Knot(t testing.TB, zones ...Zone) Server {
	t.Helper()
	p := program{binary: "knotd", pkg: "knot", version: "-V"}
	p.setZones(zones)
	p.conf = func(addr netip.AddrPort, dir string) string {
		var conf strings.Builder
		fmt.Fprintf(&conf, `server:
    rundir: "%[3]s"
    listen: %[1]s@%[2]d
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "%[3]s"
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: "%[3]s"
    semantic-checks: off
    zonefile-sync: -1
    journal-content: none
zone:
`, addr.Addr(), addr.Port(), dir)
		for i, zone := range zones {
			fmt.Fprintf(&conf, "  - domain: %q\n    file: %q\n", zone.Apex, zoneFile(i))
			if zone.Signed {
				conf.WriteString("    dnssec-signing: on\n")
			}
		}
		return conf.String()
	}
	return p.start(t)
}

// BIND starts BIND's named with these zones.
func BIND(t testing.TB, zones ...Zone) Server {
	t.Helper()
	p := program{binary: "named", pkg: "bind9", version: "-v", args: []string{"-g"}}
	p.setZones(zones)
	p.conf = func(addr netip.AddrPort, dir string) string {
		var conf strings.Builder
		fmt.Fprintf(&conf, `options {
  directory "%[3]s"; pid-file "named.pid"; session-keyfile "session.key"; managed-keys-directory "."; lock-file none;
  listen-on port %[2]d { %[1]s; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; allow-transfer { none; }; notify no; minimal-responses no-auth; zero-no-soa-ttl no;
  check-names primary ignore; check-integrity no; check-wildcard no;
};
controls { };
`, addr.Addr(), addr.Port(), dir)
		for i, zone := range zones {
			fmt.Fprintf(&conf, "zone %q { type primary; file %q;", zone.Apex, zoneFile(i))
			if zone.Transfer {
				conf.WriteString(" allow-transfer { 127.0.0.1; };")
			}
			if zone.Update {
				conf.WriteString(" allow-update { 127.0.0.1; };")
			}
			conf.WriteString(" };\n")
		}
		return conf.String()
	}
	return p.start(t)
}

// setZones sets the zones that the server loads.
func (p *program) setZones(zones []Zone) {
	p.files = make(map[string]string)
	for i, zone := range zones {
		p.files[zoneFile(i)] = zone.Text
		p.apexes = append(p.apexes, zone.Apex)
	}
}

func zoneFile(i int) string { return fmt.Sprintf("%d.zone", i) }

// A Recursion is what Unbound resolves: the zones of one authoritative server and
// nothing else, so that no question leaves the loopback.
type Recursion struct {
	Upstream netip.AddrPort
	// Apexes are the zones of Upstream. The root must be one of them, or
	// Unbound would ask the Internet.
	Apexes []string
	// Anchors are DS records of zones that must be signed with their keys.
	Anchors []string
}

// Unbound starts Unbound as a validating resolver.
func Unbound(t testing.TB, r Recursion) Server {
	t.Helper()
	p := program{binary: "unbound", pkg: "unbound", version: "-V", args: []string{"-d", "-p"}}
	p.apexes = []string{"."}
	p.conf = func(addr netip.AddrPort, dir string) string {
		var conf strings.Builder
		// Delegations have addresses for documentation, to which no packet may be
		// sent. Unbound would answer for the local zones itself.
		// Two shortcuts of 1.17 are off because they go wrong: Unbound applies the
		// NXDOMAIN at the end of an alias to the names below the alias itself, and
		// answers NODATA for a name below a wildcard that sorts before the asterisk.
		fmt.Fprintf(&conf, `server:
  interface: %s@%d
  do-ip6: no
  username: ""
  chroot: ""
  directory: "%s"
  pidfile: ""
  use-syslog: no
  num-threads: 1
  do-not-query-localhost: no
  do-not-query-address: 192.0.2.0/24
  do-not-query-address: 2001:db8::/32
  module-config: "validator iterator"
  ede: yes
  aggressive-nsec: no
  harden-below-nxdomain: no
  access-control: 127.0.0.0/8 allow
  local-zone: "test." nodefault
  local-zone: "2.0.192.in-addr.arpa." nodefault
`, addr.Addr(), addr.Port(), dir)
		for _, ds := range r.Anchors {
			fmt.Fprintf(&conf, "  trust-anchor: %q\n", strings.Join(strings.Fields(ds), " "))
		}
		conf.WriteString("remote-control:\n  control-enable: no\n")
		for _, apex := range r.Apexes {
			fmt.Fprintf(&conf, "stub-zone:\n  name: %q\n  stub-addr: %s@%d\n", apex, r.Upstream.Addr(), r.Upstream.Port())
		}
		return conf.String()
	}
	return p.start(t)
}
