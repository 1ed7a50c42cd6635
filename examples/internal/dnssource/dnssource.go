// Package dnssource opens what a program's flags name as its source of DNS data: zone
// files, zone transfers, one DNS server, or the servers of the system.
package dnssource

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/bonafide-mta/bonafide/resolver"
)

// Flags are -zone and the flag that names a DNS server.
type Flags struct {
	Zones  []string // each as ReadZones takes it
	Server string   // ADDR or ADDR:PORT; "" for the servers of the system
	server string   // the name of its flag
}

// Register defines -zone, and the flag of the server by its name.
func (f *Flags) Register(fs *flag.FlagSet, server string) {
	fs.Func("zone", "", func(value string) error {
		f.Zones = append(f.Zones, value)
		return nil
	})
	f.RegisterServer(fs, server)
}

// RegisterServer defines only the flag of the server.
func (f *Flags) RegisterServer(fs *flag.FlagSet, server string) {
	f.server = server
	fs.StringVar(&f.Server, server, "", "")
}

// Open returns the zones of the files, else what Live returns, with a cache.
func (f *Flags) Open() (resolver.Resolver, error) {
	switch {
	case len(f.Zones) > 0 && f.Server != "":
		return nil, fmt.Errorf("-zone and -%s exclude each other: give one of them", f.server)
	case len(f.Zones) > 0:
		return ReadZones(f.Zones...)
	}
	client, err := f.Live()
	if err != nil {
		return nil, err
	}
	return &resolver.Cache{Resolver: client}, nil
}

// Live returns a client of the server, or of those of the system.
func (f *Flags) Live() (*resolver.Client, error) {
	if f.Server == "" {
		return resolver.SystemClient()
	}
	server, err := resolver.ParseServer(f.Server)
	if err != nil {
		return nil, fmt.Errorf("-%s: %w", f.server, err)
	}
	return &resolver.Client{Servers: []netip.AddrPort{server}}, nil
}

// ReadZones reads zone files, each given as FILE or as ORIGIN=FILE, and merges their
// zones. It reads every file before it gives up; the error joins those of all of them.
// The size of a file is bounded as [resolver.ReadZone] says.
func ReadZones(files ...string) (*resolver.Zones, error) {
	var all []*resolver.Zones
	var errs []error
	for _, arg := range files {
		origin, file, ok := strings.Cut(arg, "=")
		if !ok {
			origin, file = "", arg
		}
		zones, err := readZone(origin, file)
		errs = append(errs, err)
		all = append(all, zones)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return resolver.MergeZones(all...)
}

func readZone(origin, file string) (*resolver.Zones, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return resolver.ReadZone(origin, file, f)
}
