package identity

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/jsonform"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/spf"
)

// Step is a step of a session. The zero Step is invalid.
type Step uint8

// The steps.
const (
	_ Step = iota
	AtConnect
	AtHelo
	AtMailFrom
)

var stepText = []string{AtConnect: "connect", AtHelo: "helo", AtMailFrom: "mail-from"}

// String returns connect, helo or mail-from.
func (s Step) String() string { return enum.String(s, stepText) }

// MarshalText returns the text of String; an invalid Step is an error.
func (s Step) MarshalText() ([]byte, error) { return enum.Marshal(s, stepText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (s *Step) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, stepText) }

// A Verdict is what is known about a client after a step, and what to do. It never
// changes; what it points to is shared, and read-only. IPRev is the result for the PTR names
// of the client; Helo, HeloSPF and CSA are those for its HELO name. Results are nil for checks
// that were not reached or have nothing to check, and all of them are nil with NotApplicable
// and with the reason SessionExhausted.
type Verdict struct {
	Step  Step  `json:"step,omitzero"`
	Level Level `json:"level,omitzero"`
	// LevelReason is the one of Reasons that decided the level. It is zero for Distinct, and if
	// DNS left open which of several reasons for the same level holds.
	LevelReason Reason        `json:"level_reason,omitzero"`
	Reasons     []Reason      `json:"reasons,omitempty"` // each once, in the order of their constants
	Advice      Advice        `json:"advice,omitzero"`
	Client      netip.Addr    `json:"client,omitzero"` // without zone; as IPv4 if it is IPv4-mapped or of 64:ff9b::/96 (NAT64)
	Time        time.Time     `json:"time,omitzero"`   // of the verdict, without monotonic clock
	Took        time.Duration `json:"took"`            // how long the step kept its caller waiting; in JSON, nanoseconds

	IPRev    *fcrdns.Result     `json:"iprev,omitempty"`
	PTRName  string             `json:"ptr_name,omitempty"` // canonical: the confirmed PTR name that HELO is compared with; "" for none
	PTRLook  ptrname.Assessment `json:"ptr_look,omitzero"`  // of PTRName; zero without one
	Relation helo.Relation      `json:"relation,omitzero"`  // of the HELO name to PTRName; 0 without one of them

	HeloText string       `json:"helo,omitempty"`         // what the client said in HELO: untrusted
	Helo     *helo.Result `json:"helo_address,omitempty"` // whether the HELO name resolves to the client
	HeloSPF  *spf.Result  `json:"helo_spf,omitempty"`
	CSA      *csa.Result  `json:"csa,omitempty"`

	// Sender is the address of MAIL FROM without brackets and source route, "" for the null
	// sender, and all that the client said if that is malformed: untrusted.
	Sender      string         `json:"sender,omitempty"`
	MailFromSPF *spf.Result    `json:"mail_from_spf,omitempty"`
	NullMX      *nullmx.Result `json:"null_mx,omitempty"` // of the sender's domain; nil for the null sender

	Questions int `json:"questions"` // asked so far in the session
}

// MarshalJSON writes the verdict with its results. The keys are those of LogValue and
// LogDetails, except that what is advised is in advice. A verdict that is read back has the
// same Advise.
func (v Verdict) MarshalJSON() ([]byte, error) {
	type plain Verdict
	return jsonform.Marshal(plain(v))
}

// Has reports whether a reason is among the reasons.
func (v *Verdict) Has(r Reason) bool { return slices.Contains(v.Reasons, r) }

// LogValue groups the attributes for a log line, a dozen at most: step, client, level, action,
// reasons as a list, questions and took; helo and sender from their steps on; reply, withheld,
// excepted and ptr_name if there are any. LogDetails has the results.
func (v *Verdict) LogValue() slog.Value {
	reasons := make([]string, len(v.Reasons))
	for i, r := range v.Reasons {
		reasons[i] = r.String()
	}
	attrs := []slog.Attr{
		slog.String("step", v.Step.String()), slog.String("client", v.Client.String()), slog.String("level", v.Level.String()),
		slog.String("action", v.Advice.Action.String()), slog.Any("reasons", reasons),
	}
	if v.Advice.Reply.Code != 0 {
		attrs = append(attrs, slog.String("reply", v.Advice.String()))
	}
	if v.Advice.Withheld != 0 {
		attrs = append(attrs, slog.String("withheld", v.Advice.Withheld.String()))
	}
	if v.Advice.Excepted != 0 {
		attrs = append(attrs, slog.String("excepted", v.Advice.Excepted.String()))
	}
	if v.Step >= AtHelo {
		attrs = append(attrs, slog.String("helo", untrusted.Line(v.HeloText)))
	}
	if v.Step == AtMailFrom {
		attrs = append(attrs, slog.String("sender", untrusted.Line(v.Sender)))
	}
	if v.PTRName != "" {
		attrs = append(attrs, slog.String("ptr_name", v.PTRName))
	}
	return slog.GroupValue(append(attrs, slog.Int("questions", v.Questions), slog.Duration("took", v.Took))...)
}

// LogDetails groups the evidence, for a second attribute beside the verdict: the LevelReason as
// level_reason, and a group for each result that is not nil: iprev, helo_address, helo_spf,
// csa, mail_from_spf and null_mx.
func (v *Verdict) LogDetails() slog.Value {
	var attrs []slog.Attr
	if v.LevelReason != 0 {
		attrs = append(attrs, slog.String("level_reason", v.LevelReason.String()))
	}
	add := func(key string, value slog.LogValuer, there bool) {
		if there {
			attrs = append(attrs, slog.Any(key, value))
		}
	}
	add("iprev", v.IPRev, v.IPRev != nil)
	add("helo_address", v.Helo, v.Helo != nil)
	add("helo_spf", v.HeloSPF, v.HeloSPF != nil)
	add("csa", v.CSA, v.CSA != nil)
	add("mail_from_spf", v.MailFromSPF, v.MailFromSPF != nil)
	add("null_mx", v.NullMX, v.NullMX != nil)
	return slog.GroupValue(attrs...)
}

// verdict waits for the checks of a step, and draws the verdict.
func (s *Session) verdict(ctx context.Context, step Step, now sessionState) *Verdict {
	v := &Verdict{Step: step, Client: s.client}
	s.collect(ctx, v, now)
	v.Took = time.Since(now.began)
	v.Time = now.began.Add(v.Took).Round(0) // without the monotonic clock, which JSON does not have
	v.Advice = v.Advise(s.verifier.Policy)
	return v
}

// collect waits for the results that a verdict has, and derives level and reasons.
func (s *Session) collect(ctx context.Context, v *Verdict, now sessionState) {
	if now.helo != nil {
		v.HeloText = now.helo.text
	}
	if m := now.mail; m != nil {
		v.Sender = m.sender.Address
		if m.malformed {
			v.Sender = m.text
		}
	}
	switch {
	case s.exempt != 0:
		v.Level, v.LevelReason, v.Reasons = NotApplicable, s.exempt, []Reason{s.exempt}
		return
	case s.lookups.isExhausted():
		v.Level, v.LevelReason, v.Reasons = Undetermined, SessionExhausted, []Reason{SessionExhausted}
		v.Questions = s.lookups.count()
		return
	}
	v.IPRev = now.reverse.wait(ctx, s.reverseUnknown)
	ours := false
	if h := now.helo; h != nil {
		ours = h.ours
		v.IPRev = h.reverse.wait(ctx, func(err error) *fcrdns.Result {
			if v.IPRev.Skipped == 0 { // there was nothing more to look up
				return v.IPRev
			}
			return s.reverseUnknown(err)
		})
		h.setResults(ctx, v)
	}
	if now.mail != nil {
		now.mail.setResults(ctx, v)
	}
	v.decide(ours)
	v.Questions = s.lookups.count()
}

func (h *heloStep) setResults(ctx context.Context, v *Verdict) {
	v.Helo = h.address.wait(ctx, func(err error) *helo.Result {
		parsed, _ := helo.Parse(h.text)
		return &helo.Result{Argument: parsed, Status: helo.TempError, Unknown: []netip.Addr{v.Client}, Err: err}
	})
	v.HeloSPF = h.spf.wait(ctx, func(err error) *spf.Result {
		return &spf.Result{Status: spf.TempError, Identity: spf.Helo, Addr: v.Client, Helo: h.text, Domain: h.text, Err: err}
	})
	v.CSA = h.csa.wait(ctx, func(err error) *csa.Result {
		return &csa.Result{Status: csa.TempError, Reason: csa.Temporary, Addr: v.Client, Helo: h.text, Err: err}
	})
}

func (m *mailStep) setResults(ctx context.Context, v *Verdict) {
	if m.malformed {
		return
	}
	v.MailFromSPF = m.spf.wait(ctx, func(err error) *spf.Result {
		return &spf.Result{Status: spf.TempError, Identity: spf.MailFrom, Addr: v.Client, Helo: v.HeloText, Sender: m.sender.Address, Domain: m.sender.Domain, Err: err}
	})
	if m.sender.Domain != "" {
		v.NullMX = m.nullMX.wait(ctx, func(err error) *nullmx.Result {
			return &nullmx.Result{Domain: m.sender.Domain, Status: nullmx.TempError, Err: err}
		})
	}
}

// decide derives level and reasons from the results.
func (v *Verdict) decide(ours bool) {
	e := evidence{claim: v.claimOf(ours), spf: spfStatement(v.HeloSPF), csa: csaStatement(v.CSA)}
	if v.Helo != nil {
		e.resolves = map[helo.Status]answer{helo.Pass: yes, helo.TempError: unknown}[v.Helo.Status]
	}
	e.reverse = v.reverseStates(e.claim)
	v.Level = e.level()
	v.Reasons = v.reasons(e)
	v.LevelReason = v.levelReason(e)
}

func (v *Verdict) claimOf(ours bool) heloClaim {
	switch {
	case v.Helo == nil:
		return claimsNothing
	case ours:
		return claimsOurs
	case v.Helo.Argument.Addr.IsValid():
		// Programs behind NAT use their private address: that is not forgery.
		if addr := address.Canonical(v.Helo.Argument.Addr); addr != v.Client && address.IsPublic(addr) {
			return claimsOtherAddress
		}
		return claimsAddress
	case v.Helo.Argument.Name == "":
		return claimsNonsense
	case !v.Helo.Argument.Resolvable():
		return claimsUnqualified
	}
	return claimsName
}

// spfStatement returns what the owner of a name publishes about the client by SPF. A DNS
// failure that RFC 7208 counts as no match may have hidden a match.
func spfStatement(r *spf.Result) statement {
	switch {
	case r == nil:
		return saysNothing
	case r.Status.Temporary(), r.Degraded.Text != "":
		return unanswered
	case r.Status == spf.Pass:
		return authorizes
	case r.Status == spf.Fail:
		return denies
	}
	return saysNothing
}

func csaStatement(r *csa.Result) statement {
	if r == nil {
		return saysNothing
	}
	return map[csa.Status]statement{csa.Pass: authorizes, csa.Fail: denies, csa.TempError: unanswered}[r.Status]
}

// reverseStates sets the PTR name that HELO is compared with, and returns the states it may
// have: more than one where DNS did not say whether a name is confirmed.
func (v *Verdict) reverseStates(c heloClaim) []reverseState {
	if v.IPRev.PTR.Err != nil || v.IPRev.Status == fcrdns.TempError && len(v.IPRev.Names) == 0 {
		return allReverseStates(c)
	}
	var confirmed, unanswered []string
	for _, n := range v.IPRev.Names {
		switch n.Outcome {
		case fcrdns.Confirmed:
			confirmed = append(confirmed, n.Name)
		case fcrdns.NoAnswer:
			unanswered = append(unanswered, n.Name)
		}
	}
	heloName := ""
	if v.Helo != nil {
		heloName = v.Helo.Argument.Name
	}
	var state reverseState
	v.PTRName, state = bestName(confirmed, heloName, v.Client)
	if v.PTRName != "" {
		v.PTRLook = ptrname.Classify(v.Client, v.PTRName)
		if heloName != "" {
			v.Relation = state.relation
		}
	}
	states := []reverseState{state}
	for _, name := range unanswered {
		_, state := bestName(append(slices.Clip(confirmed), name), heloName, v.Client)
		states = append(states, state)
	}
	return states
}

// bestName returns the PTR name that HELO is compared with: an equal one, since malware
// could look that up; else one of the same organization, preferably not generic.
func bestName(names []string, heloName string, client netip.Addr) (string, reverseState) {
	name, state := "", reverseState{}
	rank := func(r reverseState) int {
		switch {
		case r.relation == helo.Identical:
			return 4
		case r.relation == helo.SameOrganization && !r.generic:
			return 3
		case r.relation == helo.SameOrganization:
			return 2
		case r.confirmed:
			return 1
		}
		return 0
	}
	for _, n := range names {
		relation, _ := helo.Relate(heloName, n)
		r := reverseState{true, relation, ptrname.Classify(client, n).Kind == ptrname.Generic}
		if rank(r) > rank(state) {
			name, state = n, r
		}
	}
	return name, state
}
