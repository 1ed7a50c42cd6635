// Package identity tells who a mail server's clients are, by DNS: the name of their
// address, the name that they give in HELO, what its owner says of them, and what the
// sender's domain says.
//
// A server embeds one [Verifier]. It calls [Verifier.Session] when a client connects,
// [Session.Connect], [Session.Helo] and [Session.MailFrom] as the client goes on, and
// [Session.Close] at the end. Each step returns a [Verdict]: decide on Advice, which has
// the SMTP reply ready; Level and Reasons are for scoring and logs, and every result is
// there in full. The zero [Policy] refuses clients only on the word of the owner of the
// name that they use. [Verdict.AuthenticationResults] records it in the message, after
// fields that are [ForgedResults] were deleted. How levels and advice come about is written
// down whole in docs/decisions.md.
//
// Package helo, and the packages of the mechanisms, can be used alone.
//
// A HELO name that leads to the client is the client's own. The best one is
// another name than the PTR name, of the same organization: it cannot be guessed
// from the address, and cannot be anyone else's.
//
// Identity is not goodness: whoever sends spam can have the best level. A failure of
// DNS is never a verdict: the level is Undetermined where it matters, and nobody is
// refused for it. A DNS that lies is believed, unless it is signed and its resolver
// checks that (Authentic in the results).
//
// # Bounds
//
// Whatever the zones say, one message costs at most 500 questions: 11 for the reverse
// name, one for the HELO name, 16 for CSA, 233 for each SPF policy, three for Null MX.
// Nothing is asked twice within a session, and no more than Verifier.MaxQuestions, whose
// answers it keeps until it is closed. The time of a step is bounded by
// Verifier.Timeout, though the resolver heed no context. From the connection to the verdict on MAIL FROM takes the round trips of two for the
// reverse name and HELO, at the same time, and those of the sender's SPF policy.
package identity
