// Package demo holds what the demonstrations of several examples show.
package demo

import (
	_ "embed"
	"strings"

	"github.com/bonafide-mta/bonafide/resolver"
)

// ClientsZone has the names and addresses of Clients.
//
//go:embed clients.zone
var ClientsZone string

// A Client connects to a mail server.
type Client struct{ Addr, Helo, Sender string }

// Clients are one of each kind: authorized, forged, without mail, behind DNS that does
// not answer, and private.
var Clients = []Client{
	{"192.0.2.10", "post.harbour.example", "pilot@harbour.example"},
	{"192.0.2.66", "post.harbour.example", "pilot@harbour.example"},
	{"192.0.2.66", "pc.isp.example", "shop@www.harbour.example"},
	{"192.0.2.66", "pc.isp.example", "pilot@lost.example"},
	{"10.0.0.1", "desk.quay.example", "me@quay.example"},
}

// OrganizationZone has the zones of an organization, for audits and plans.
//
//go:embed organization.zone
var OrganizationZone string

// Read returns the zones of a text, which call themselves demo.zone.
func Read(text string) (*resolver.Zones, error) {
	return resolver.ReadZone("", "demo.zone", strings.NewReader(text))
}
