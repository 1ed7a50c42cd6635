package dnsname

import "slices"

// Reserved reports whether a canonical name lies under a domain that means
// nothing in the public DNS, and so is never asked: .onion (RFC 7686), .local
// (RFC 6762), .localhost and .invalid (RFC 6761).
func Reserved(name string) bool {
	return Under(name, "onion.") || Under(name, "local.") || Under(name, "localhost.") || Under(name, "invalid.")
}

// Documentation reports whether a canonical name lies under a domain set aside
// for documentation and tests (RFC 6761, Sections 6.2 and 6.5).
func Documentation(name string) bool {
	return Under(name, "test.") || Under(name, "example.") ||
		Under(name, "example.com.") || Under(name, "example.net.") || Under(name, "example.org.")
}

// privateUse are the domains that a network may use for itself and that do not
// exist in the public DNS. Top-level domains that are delegated, such as host. and
// network., are not among them, whatever a network has below them.
var privateUse = []string{
	// RFC 6762, Appendix G: used as private top-level domains.
	"intranet.", "internal.", "private.", "corp.", "home.", "lan.",
	// internal. is also reserved for this by ICANN (Board, 29 July 2024; SAC113);
	// corp., home. and mail. are never to be delegated (Board, 4 February 2018).
	"mail.",
	// The defaults of hosts files and of Windows.
	"localdomain.", "workgroup.",
	"home.arpa.",     // RFC 8375
	"resolver.arpa.", // RFC 9462
	"service.arpa.",  // RFC 9665
	"6tisch.arpa.",   // RFC 9031
	"eap-noob.arpa.", // RFC 9140
	"alt.",           // RFC 9476: not even names of a DNS
}

// SpecialUse reports whether a canonical name lies at or under a domain that means
// nothing in the public DNS: one that is never asked (see Reserved), or one that
// networks use for themselves, which is asked as any other, for a network may
// answer. Nobody outside can look up what a host of such a name is.
func SpecialUse(name string) bool {
	return Reserved(name) || slices.ContainsFunc(privateUse, func(domain string) bool { return Under(name, domain) })
}
