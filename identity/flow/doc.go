// Package flow finds the names that take part in mail: by the records of zones, by the
// description of an organization, and by observations of its servers.
//
// [Read] surveys whole zones: which names receive mail, send it, or are tied to mail by a
// record of another name. [Observations] reads mail and logs, and yields what servers said
// in HELO. [Contradictions] notes where a description and DNS do not fit together. Packages
// harden and draft base their decisions on a survey; package plan uses observations and
// notes, package audit notes.
//
// It asks no DNS, so it knows only the given records: not what an SPF include of another
// organization authorizes, and not zones that were not read. A name is followed one step:
// aliases, wildcards and shared addresses are the caller's to judge, by [Node] and
// [Survey.Server].
package flow
