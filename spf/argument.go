package spf

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// ParseDomain returns the domain that a text names, as it may be in an SPF record after
// include: or redirect=, in lower case, with A-labels, and without the final dot. It takes
// names of the public DNS of two labels at least, whose labels have letters, digits, hyphens
// and underscores.
//
// The error says what the text is instead, such as a term of a record, an address of
// somebody, a URL, a wildcard, or several domains, and what to write if that is clear.
func ParseDomain(text string) (string, error) {
	if name, ok := plainDomain(text); ok {
		return name, nil
	}
	fault := notADomain(text)
	if _, err := resolver.Canonical(text); fault == "" && err != nil {
		return "", err
	} else if fault == "" {
		fault = ": expected the name of a domain in the public DNS, of two labels at least"
	}
	var instead []string
	for _, word := range splitList(text) {
		if name, ok := plainDomain(bareDomain(word)); ok && !slices.Contains(instead, name) {
			instead = append(instead, name)
		}
	}
	const shown = 3
	switch n := len(instead); {
	case n > shown:
		fault += fmt.Sprintf(": write each of the %d domains by itself", n)
	case n > 1:
		fault += ": write each by itself, " + strings.Join(instead, " and ")
	case n == 1:
		fault += ": write " + instead[0]
	}
	return "", fmt.Errorf("%q%s", brief(text), fault)
}

// plainDomain returns the domain of a text that is nothing else, and whether it is one.
func plainDomain(text string) (string, bool) {
	name, err := resolver.Canonical(text)
	if err != nil || strings.Contains(text, `\`) || !dnsname.Qualified(name) || dnsname.SpecialUse(name) {
		return "", false
	}
	for i := range len(name) {
		if c := name[i]; !isAlpha(c) && !isDigit(c) && c != '-' && c != '_' && c != '.' {
			return "", false
		}
	}
	name = strings.TrimSuffix(name, ".")
	return name, isTerm("include:" + name)
}

// notADomain says what a text is instead of a domain, as the rest of a sentence, or "" if
// that is not clear.
func notADomain(text string) string {
	_, value, isTerm := cutMechanism(text)
	name, err := resolver.Canonical(text)
	switch {
	case isRecord(text):
		return " is an SPF record: expected the domain that publishes one"
	case netipOf(text) != "" || isTerm && netipOf(value) != "":
		return " is an address or a network: expected a domain"
	case len(splitList(text)) > 1:
		return " is not one domain"
	case strings.Contains(text, "://"):
		return " is a URL: expected a domain"
	case isTerm:
		return " is a term of an SPF record: expected the domain alone"
	case strings.Contains(text, "%"):
		return " has a macro: expected a domain that is the same for every message"
	case strings.Contains(text, "@"):
		return " is a mail address: expected a domain"
	case strings.HasPrefix(text, "*."):
		return " is a wildcard: expected a domain that publishes an SPF record"
	case strings.Contains(text, `\`):
		return " has an escape of zone files: expected letters, digits, hyphens and underscores"
	case err == nil && dnsname.Qualified(name) && dnsname.SpecialUse(name):
		return " is not in the public DNS, where receivers look"
	}
	return ""
}

// splitList cuts a text where people put the next element of a list.
func splitList(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || isBlank(r) || r < ' ' })
}

// cutMechanism cuts a qualifier and the name of a mechanism or modifier off a term that has
// a value.
func cutMechanism(term string) (name, value string, ok bool) {
	word := strings.TrimLeft(term, "+-~?")
	end := strings.IndexAny(word, ":=")
	if end < 0 {
		return "", term, false
	}
	name, value = word[:end], strings.TrimSpace(word[end+1:])
	if mechanism(name) == 0 && !strings.EqualFold(name, "redirect") && !strings.EqualFold(name, "exp") {
		return "", term, false
	}
	return name, value, true
}

// bareDomain removes from a word what people write around a domain.
func bareDomain(word string) string {
	word = strings.Trim(word, `"'<>()[]`)
	for value, ok := word, true; ok; {
		word = value
		_, value, ok = cutMechanism(word)
	}
	if _, after, ok := strings.Cut(word, "://"); ok {
		word = after
	}
	word = word[strings.LastIndexByte(word, '@')+1:]
	if end := strings.IndexAny(word, "/?#:"); end >= 0 {
		word = word[:end]
	}
	word = strings.TrimPrefix(strings.TrimPrefix(word, "*"), ".")
	if strings.Contains(word, `\`) {
		word = dnsname.CanonicalOrEmpty(word)
	}
	return word
}

// ParseNetwork returns the network that a text names, as it may be in an SPF record after
// ip4: or ip6:, with the length that its notation needs. The error says what is wrong, and
// what to write if that is clear: bits beyond the length, an address without a length, a
// term of a record, everybody, or addresses that no host has.
func ParseNetwork(text string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(text)
	if err != nil {
		const expected = "%q: expected an IPv4 or IPv6 network, as 192.0.2.0/28"
		_, value, _ := cutMechanism(text)
		if addr, err := netip.ParseAddr(value); err == nil && addr.Zone() == "" {
			return netip.Prefix{}, fmt.Errorf(expected+": write %s", brief(text), netip.PrefixFrom(addr, addr.BitLen()))
		}
		if p, err := netip.ParsePrefix(value); err == nil {
			return netip.Prefix{}, fmt.Errorf(expected+": write %s", brief(text), p.Masked())
		}
		return netip.Prefix{}, fmt.Errorf(expected, brief(text))
	}
	if fault := checkNetwork(network); fault != nil {
		return netip.Prefix{}, fmt.Errorf("%q %w", text, fault)
	}
	if network != network.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond its length: expected %s, or %s for the one address",
			text, network.Masked(), netip.PrefixFrom(network.Addr(), network.Addr().BitLen()))
	}
	return network, nil
}

// checkNetwork returns what is wrong with a network of senders, as the rest of a sentence.
// Bits beyond its length do not count.
func checkNetwork(p netip.Prefix) error {
	switch addr := p.Addr(); {
	case !p.IsValid():
		return errors.New("is not valid: expected an IPv4 or IPv6 network")
	case addr.Is4In6() && p.Bits() >= 96:
		return fmt.Errorf("is an IPv4 network in IPv6 notation: expected an IPv4 or IPv6 network: write %s", netip.PrefixFrom(addr.Unmap(), p.Bits()-96).Masked())
	case addr.Is4In6():
		return errors.New("has IPv4 addresses in IPv6 notation: expected an IPv4 or IPv6 network")
	case p.Bits() == 0:
		return errors.New("is everybody: expected a network of senders")
	case addr.IsMulticast():
		return errors.New("is not a network of hosts")
	}
	return nil
}
