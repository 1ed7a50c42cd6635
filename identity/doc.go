// Package identity uses DNS to judge the clients of a mail server: their PTR name, their HELO
// name, what its owner publishes about them, and the policy of the sender's domain.
//
// # Use in a server
//
//  1. Make one [Verifier], with a Resolver and the server's own Names and Addrs.
//  2. When a client connects, call [Verifier.Session], which looks up its PTR names at once. Call
//     [Session.Close] at the end.
//  3. At HELO or EHLO, call [Session.StartHelo]; or [Session.Helo], if the server refuses clients
//     there. A server that refuses them even earlier calls [Session.Connect].
//  4. At MAIL FROM, call [Session.MailFrom]. Its [Verdict] has the results of all steps.
//  5. Follow Verdict.Advice: its Action and, to refuse the client, its SMTP Reply. Do it at RCPT,
//     so that mail to postmaster and abuse gets through.
//  6. Store the message with a field by [Verdict.AuthenticationResults] above it, and without the
//     fields that claim to be the server's own ([StripForged]).
//  7. Log the verdict, which is a slog.LogValuer, and [Verdict.LogDetails] where one line is not
//     enough. Count Level, Advice.Action and Reasons; a spam filter can score Reasons. docs/logs.md
//     has the code, and the rules of two filters.
//
// The zero [Policy] refuses clients only if the owner of the name that they use denies it to
// them. Another one has actions for reasons and levels, such as Reject for NoPTR, and an
// [Exception] for each client that must get through in spite of them. Try a policy with
// Policy.ReportOnly. [Verdict.Advise] judges a verdict again by the policy of a recipient,
// without asking anything. docs/decisions.md lists how levels and advice come about.
//
// Package helo, and the packages of the mechanisms, can be used alone.
//
// # What a verdict means
//
// A HELO name that resolves to the client belongs to the client. The best one differs from
// the PTR name and is of the same organization: malware that only looks up its own PTR name
// does not find it, and nobody else can have it.
//
// Identity is not goodness: a spammer can have the best level. A DNS failure never counts
// against a client: the level is Undetermined where it matters, and mail is at most deferred. A
// DNS that lies is believed, unless it is signed and its resolver validates
// (Authentic in the results).
//
// A Verifier holds no state: one serves all connections, concurrently. The steps of a
// [Session] must not run concurrently. Verdicts never change.
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
