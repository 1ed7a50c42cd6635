// Package demo holds what the demonstrations of several examples show.
package demo

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/bonafide-mta/bonafide/resolver"
)

// ClientsZone has the names and addresses of Clients.
//
//go:embed clients.zone
var ClientsZone string

// A Client connects to a mail server and sends a message.
type Client struct{ Who, Addr, Helo, Sender, Recipient string }

// String returns the client and its commands on two lines.
func (c Client) String() string {
	return fmt.Sprintf("%s: %s, HELO %s\n  MAIL FROM:<%s>, RCPT TO:<%s>", c.Who, c.Addr, c.Helo, c.Sender, c.Recipient)
}

// Clients are one of each kind, for the mail server mx.quay.example of quay.example.
var Clients = []Client{
	{"an MTA", "192.0.2.10", "post.harbour.example", "pilot@harbour.example", "master@quay.example"},
	{"malware behind the same address, with its PTR name", "192.0.2.10", "mta1.harbour.example", "pilot@harbour.example", "master@quay.example"},
	{"a forger of the MTA", "192.0.2.66", "post.harbour.example", "pilot@harbour.example", "master@quay.example"},
	{"the same, to a role mailbox", "192.0.2.66", "post.harbour.example", "pilot@harbour.example", "postmaster@quay.example"},
	{"a sender without mail", "192.0.2.66", "pc.isp.example", "shop@www.harbour.example", "master@quay.example"},
	{"a sender whose DNS does not answer", "192.0.2.66", "pc.isp.example", "pilot@lost.example", "master@quay.example"},
	{"a machine of the mail server's network", "10.0.0.1", "desk.quay.example", "me@quay.example", "master@quay.example"},
}

// OrganizationZone has the zones of an organization, for audits and plans.
//
//go:embed organization.zone
var OrganizationZone string

// Read returns the zones of a text, which call themselves demo.zone.
func Read(text string) (*resolver.Zones, error) {
	return resolver.ReadZone("", "demo.zone", strings.NewReader(text))
}
