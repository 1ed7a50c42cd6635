package plan

import (
	"slices"
	"strings"
)

// settings are how an MTA gets its HELO name, and takes mail for it, with <name> for the name.
var settings = []struct{ mta, helo, takes string }{
	// postconf(5), smtp_helo_name and mydestination.
	{"Postfix", "smtp_helo_name = <name>", "add <name> to mydestination"},
	// The Exim specification: "The smtp transport", helo_data, and "The default configuration
	// file", local_domains.
	{"Exim", "helo_data = <name>, in each smtp transport", "add <name> to the domainlist local_domains"},
	// cf/README, "Who Am I?" and FEATURE(use_cw_file).
	{"Sendmail", "define(`confDOMAIN_NAME', `<name>')dnl, or Dj<name> in sendmail.cf", "add <name> to /etc/mail/local-host-names (class w)"},
	// smtpd.conf(5), action, relay, helo and match, for domain.
	{"OpenSMTPD", "action ACTION relay helo <name>", "match from any for domain <name> action LOCAL"},
	// Set-SendConnector, -Fqdn, and New-AcceptedDomain, in the reference of Exchange PowerShell.
	{"Exchange", "Set-SendConnector CONNECTOR -Fqdn <name>", "New-AcceptedDomain -Name <name> -DomainName <name>"},
}

// writeSettings writes how to configure the HELO names of hosts.
func writeSettings(hosts []Host, line func(string, ...any)) {
	var names []string
	for _, h := range hosts {
		if h.Refused == "" {
			names = append(names, strings.TrimSuffix(h.Helo, "."))
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	name := "NAME"
	switch len(names) {
	case 0:
		return
	case 1:
		name = names[0]
	default:
		line("   For each, with NAME for the HELO name of the MTA:")
	}
	// The advice, last MUST: some system accepts mail for both.
	line("   Also accept mail for postmaster@%s and abuse@%[1]s: it comes to the MTA itself, unless the name has MX records.", name)
	for _, s := range settings {
		line("     %-11s%s", s.mta, strings.ReplaceAll(s.helo+"; "+s.takes, "<name>", name))
	}
}
