// Package flow knows which names take part in mail: what the records of zones, the
// description of an organization and observations of its servers show.
//
// [Read] surveys whole zones: which names get mail, send it or are tied to it by a record,
// and which never do as far as anybody can see. [Observations] reads from mail and logs
// what servers said in HELO. Packages harden, plan and draft decide by both.
//
// It asks no DNS. Only what the records given say is known: what is behind an SPF include
// of somebody else, or in a zone that was not read, is not.
package flow
