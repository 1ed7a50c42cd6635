// Package identity uses DNS to judge the clients of a mail server: their PTR name, their HELO
// name, what its owner publishes about them, and the policy of the sender's domain.
//
// A server embeds one [Verifier]. It calls [Verifier.Session] when a client connects,
// [Session.Connect], [Session.Helo] and [Session.MailFrom] as the client goes on, and
// [Session.Close] at the end; one that decides at MAIL FROM or RCPT calls [Session.StartHelo]
// instead of Helo. Each step returns a [Verdict]: decide on Advice, which has the SMTP reply
// ready; Level and Reasons are for scoring and logs, and every result is there in full. The
// zero [Policy] refuses clients only if the owner of the name that they use denies it to
// them; another one has actions for reasons and levels, as Reject for NoPTR. [Verdict.Advise]
// judges a verdict again, by another policy. [Verdict.AuthenticationResults] records the
// verdict in the message, from which [StripForged] deletes the fields that claim to be ours.
// docs/decisions.md lists how levels and advice come about, and docs/logs.md has logs,
// counters and the rules of spam filters that read the reasons.
//
// Package helo, and the packages of the mechanisms, can be used alone.
//
// A HELO name that resolves to the client belongs to the client. The best one differs from
// the PTR name and is of the same organization: malware that only looks up its own PTR name
// does not find it, and nobody else can have it.
//
// Identity is not goodness: a spammer can have the best level. A DNS failure never counts
// against a client: the level is Undetermined where it matters, and no mail is refused for
// it. A DNS that lies is believed, unless it is signed and its resolver validates
// (Authentic in the results).
//
// A Verifier may be used concurrently, and holds no state. A [Session] must not: its steps
// are called one after the other. Verdicts never change.
//
// # Bounds
//
// Whatever the zones say, one message costs at most 507 questions: 11 at connect, for the PTR
// names; 260 at HELO, for the HELO name, CSA (16), SPF (233), and ten more PTR names of the
// HELO name's organization; 236 at MAIL FROM, for SPF (233) and Null MX (3). A step begins
// only if the session has its worst case left, of Verifier.MaxQuestions and of memory.
// Otherwise the session is exhausted: it asks nothing more, and its advice is to come back
// on a new connection ([SessionExhausted], 421), whatever the policy. So what a client says
// first does not change the verdict on what it says later.
//
// A session keeps at most 4 MiB of answers, of which a step adds at most 1 MiB, until it is
// closed; what is kept is not asked again. An answer of more than 256 KiB, some 1,500
// addresses, is a temporary failure. Verdicts keep what they rest on.
//
// Verifier.Timeout bounds the time of a step, even if the resolver heeds no context. From
// the connection to the verdict on MAIL FROM it takes two round trips for PTR name and HELO,
// at the same time, and those of the sender's SPF policy.
package identity
