package worlds

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// mailDomains makes the domains of users.
func (g *generator) mailDomains() {
	apex := &domain{place: place{acme, acme, acme}, hosted: g.in(50)}
	if apex.hosted {
		g.address(acme, g.elsewhere())
	}
	g.domains = append(g.domains, apex)
	for range g.IntN(4) {
		web := []netip.Addr{g.elsewhere()}
		if g.in(60) {
			g.domains = append(g.domains, &domain{place: g.place(web), hosted: true})
		} else if !slices.ContainsFunc(g.domains, func(d *domain) bool { return d.name == second }) {
			g.domains = append(g.domains, &domain{place: place{second, second, second}})
		}
	}
}

// publish adds the records of a mail domain.
func (g *generator) publish(d *domain) {
	for i, host := range slices.Compact(slices.Sorted(slices.Values(d.mx))) {
		g.add(d.node, "MX %d %s", 10*(i+1), host)
	}
	if g.in(15) {
		g.add(d.node, "MX 90 mx.%s", provider)
		d.mx = append(d.mx, "mx."+provider)
	}
	shown := len(d.mx) > 0 || len(d.terms) > 0
	if len(d.terms) > 0 || g.in(20) {
		if g.in(20) {
			d.terms = append(d.terms, "include:_spf."+trim(provider))
		}
		all := g.one("-all", "~all", "?all")
		record := fmt.Sprintf(`TXT "v=spf1 %s"`, strings.Join(append(d.terms, all), " "))
		inner := g.label() + "." + acme
		switch {
		case len(d.terms) == 0:
			record = fmt.Sprintf(`TXT "v=spf1 mx %s"`, all)
		case g.in(25):
			g.add(inner, "%s", record)
			record = fmt.Sprintf(`TXT "v=spf1 include:%s %s"`, trim(inner), all)
		case g.in(20):
			g.add(inner, "%s", record)
			record = fmt.Sprintf(`TXT "v=spf1 redirect=%s"`, trim(inner))
		}
		g.add(d.node, "%s", record)
		shown = true
	}
	switch {
	case d.hosted && !shown && g.in(30):
		d.told = true
	case d.below != "" && (!shown || g.in(20)):
		g.sign(d)
	case !shown: // a wildcard does not answer for a name that has names below it
		g.add(d.node, "MX 10 mx.%s", provider)
		d.mx = append(d.mx, "mx."+provider)
	}
}

// sign adds a record below the name of a domain that shows it to send or take mail.
func (g *generator) sign(d *domain) {
	switch g.IntN(5) {
	case 0:
		g.add("s1._domainkey."+d.below, `TXT "v=DKIM1; p=MIIB"`)
	case 1:
		g.add("_dmarc."+d.below, `TXT "v=DMARC1; p=%s"`, g.one("none", "quarantine"))
	case 2:
		g.add("_mta-sts."+d.below, `TXT "v=STSv1; id=1"`)
	case 3:
		g.add("_smtp._tls."+d.below, `TXT "v=TLSRPTv1; rua=mailto:t@acme.test"`)
	case 4:
		g.add("_domainkey."+d.below, "NS ns.%s", provider)
	}
}
