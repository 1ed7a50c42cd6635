// Package identity is about the names by which a mail server is known: what a
// client says in HELO or EHLO, which organisation a name belongs to, and how the
// HELO name stands to the name of the client's address.
//
//   - [ParseHelo] reads the argument of HELO.
//   - [HeloChecker.Check] tells whether a HELO name leads back to the client, or to
//     every address of an MTA. Decide on Status; Err explains.
//   - [OrganisationalDomain] and [Relate] find the organisation behind names, and
//     [Unicode] shows a name to people.
//
// A HELO name that leads to the client is the client's own. The best one is
// another name than the PTR name, of the same organisation: it cannot be guessed
// from the address, and cannot be anyone else's.
//
// The package does not decide what to do with a client, and does not look at SPF
// or CSA, by which the owner of a name says who may use it.
package identity
