package recipient_test

import (
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/examples/internal/recipient"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/envelope"
)

var domains = recipient.Domains{"quay.example", "mx.Quay.example.", "bücher.example"}

func TestRole(t *testing.T) {
	for _, address := range []string{
		"postmaster@quay.example", "<Postmaster@QUAY.example>", "ABUSE@mx.quay.example", "abuse@quay.example.", "postmaster", "<POSTMASTER>", `"postmaster"@quay.example`,
		`"post\master"@quay.example`, "@relay.example:postmaster@quay.example", "<@a.example,@b.example:abuse@quay.example>", "abuse@xn--bcher-kva.example", "postmaster@BÜCHER.example",
	} {
		if !domains.Role(address) {
			t.Errorf("%q is not a role", address)
		}
	}
	for _, address := range []string{
		"", "<>", "@", "a@quay.example", "postmaster@", "abuse", "postmaster@other.example", "postmaster@a.quay.example", "abuse@.", "postmaster@quay.example@other.example",
		`"postmaster@quay.example"@other.example`, "postmaster+x@quay.example", "postmaster @quay.example", "<postmaster@quay.example", `"postmaster@quay.example`, "postmaster@quay..example",
		"postmaster@quay.example\x00", "postmaster\x00@quay.example", "@relay.example:a@quay.example", `\postmaster@quay.example`,
		"<postmaster@quay.example> b@quay.example", "<abuse@quay.example> b@other.example", "<postmaster@quay.example> X=b@quay.example", "<postmaster> b@quay.example", // without their quotes
	} {
		if domains.Role(address) {
			t.Errorf("%q is a role", address)
		}
	}
	if (recipient.Domains{}).Role("postmaster@quay.example") || (recipient.Domains{""}).Has("") || (recipient.Domains{"a..b"}).Has("a..b") {
		t.Error("a domain that is not ours")
	}
}

func TestGate(t *testing.T) {
	refuse := envelope.Reply{Code: 550, Enhanced: envelope.EnhancedCode{5, 7, 23}, Text: "no"}
	for _, action := range []identity.Action{identity.Accept, identity.Score, identity.Defer, identity.Reject} {
		g := recipient.Gate{Domains: domains}
		v := &identity.Verdict{Advice: identity.Advice{Action: action, Reply: refuse}}
		refuses := action >= identity.Defer
		for range 2 {
			if reply, role := g.Decide(v, "a@quay.example"); (reply == refuse) != refuses || role {
				t.Errorf("%v: %v, %v", action, reply, role)
			}
		}
		for i := range recipient.MaxRoles + 2 {
			want := envelope.Reply{}
			if refuses && i >= recipient.MaxRoles {
				want = recipient.TooMany
			}
			if reply, role := g.Decide(v, "abuse@quay.example"); reply != want || role != (refuses && i < recipient.MaxRoles) {
				t.Errorf("%v, number %d: %v, %v", action, i, reply, role)
			}
		}
	}
	var g recipient.Gate
	if reply, role := g.Decide(nil, "a@quay.example"); reply != (envelope.Reply{}) || role {
		t.Errorf("without a verdict: %v, %v", reply, role)
	}
	if recipient.EndsConnection(refuse) || recipient.EndsConnection(recipient.TooMany) || !recipient.EndsConnection(envelope.Reply{Code: 421}) {
		t.Error("421 ends a connection, and no other reply")
	}
}

// FuzzRole: postmaster and abuse of our domains are roles, quoted or not, and nothing else.
func FuzzRole(f *testing.F) {
	f.Add("postmaster", "quay.example")
	f.Add(`a"\`, "other.example")
	f.Fuzz(func(t *testing.T, local, domain string) {
		if local == "" || strings.ContainsAny(domain, "@> ") {
			return
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
		want := domains.Has(domain) && (strings.ToLower(local) == "postmaster" || strings.ToLower(local) == "abuse")
		if got := domains.Role("<" + quoted + "@" + domain + ">"); got != want {
			t.Errorf("%q, %q: %v", local, domain, got)
		}
		if want && !domains.Role(local+"@"+domain) {
			t.Errorf("%q, %q", local, domain)
		}
	})
}
