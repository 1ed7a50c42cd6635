// Package resolver asks the DNS, or a substitute for it, through one small
// interface, [Resolver], that every checker of this module takes.
//
//   - [Client] asks DNS servers, over UDP and TCP or a transport of one's own, such as DoH;
//     [SystemClient] asks those of /etc/resolv.conf.
//     [Transfer] yields the records of a whole zone, from a server that allows it.
//   - [ParseZones] and [ReadZone] make [Zones], which answer from zone text in
//     memory, for tests and for auditing a zone before it is published.
//   - [Cache] keeps answers for their TTL, and asks each question once.
//   - [Overlay] answers as the DNS would after a change: zones or single records
//     laid over another Resolver.
//   - [FromNet] asks as the rest of the machine does, by a *net.Resolver, or by any type
//     with its methods.
//   - [Func] turns a function into a Resolver. Tracing, counting or rewriting
//     questions is a Func around another Resolver.
//   - [AsNet] gives a Resolver the lookup methods of *net.Resolver, for code
//     written against those.
//
// Programs that call a *net.Resolver today find its methods below, under "Coming from
// net.Resolver".
//
// To ask, use [LookupAddrs], [LookupTXT], [LookupMX], [LookupSRV], [LookupRP] and
// [LookupPTR] for plain data, and [Ask] when the evidence matters too: who
// answered, by way of which aliases, how long it holds, whether it was
// authenticated. [AskAll] asks many questions at once. A [Question] also names the
// RRset that answers it: what a [Patch] removes, what dnsfake was asked.
//
// A negative answer is an answer, not an error: NXDOMAIN and NODATA come back
// with a nil error and no records. An error means that there is no answer yet.
//
// Records are those of github.com/miekg/dns, and read-only. A name may be given
// in any case, with or without its final dot, with U-labels or A-labels; names
// are always absolute: there is no search list and no hosts file.
//
// What this package does not do: validate DNSSEC (it reports whether a resolver
// that is trusted did) or recurse from the root. Package dnsfake adds faults and
// delays for tests.
//
// # What a message must hold to say no
//
// A lame server, a forwarder in trouble and a forger all send messages without the
// records asked for. [Client] takes a message for a denial only where this table says so.
//
//	response  answer     authority     AA, RA   the message says about
//	code      section    section       bits     the name asked
//
//	NOERROR   records    any           any      its records
//	NXDOMAIN  records    any           any      nothing
//	both      others     any           any      nothing
//	both      empty      SOA           any      no
//	both      empty      no SOA        AA       no
//	NOERROR   empty      NS, no SOA    RA       nothing: a referral
//	NOERROR   empty      neither       RA       no
//	NXDOMAIN  empty      no SOA        RA       no
//	both      empty      no SOA        neither  nothing
//	both      aliases    SOA           any      no, about the last name
//	both      aliases    no SOA        any      that the last name is to be asked for
//	both      aliases,   any           any      that the last name is to be asked for
//	          others
//	another   any        any           any      nothing
//
// No is NODATA with NOERROR, and NXDOMAIN with NXDOMAIN. After a message that says
// nothing the next server is asked, and after the last one the Lookup is an error.
//
// Records are those of class IN and the type asked, at the last name. Aliases are the
// CNAME and DNAME records that lead there from the name asked, and RRSIG records at their
// owners; the last name is the name asked if there are none. Others are all other records:
// of another owner, type or class, off the way, or signatures of such. They do not matter
// beside the records. SOA and NS are records of class IN at the last name or above it.
// After aliases, AA and RA say nothing about the last name, which may be in a zone that the
// server knows nothing about. NS records make a referral only with NOERROR (RFC 2308,
// Section 2.1).
//
// Questions of the types CNAME, DNAME and ANY are not redirected: an alias at the name
// asked is the answer to them. An alias to a name that is never asked (see [Ask]) says
// NXDOMAIN about it. Aliases in a circle, and more than 16, are an error at once.
//
// # JSON
//
// Package encoding/json writes a [Response], and every result of this module that has some,
// and reads it back to a value with the same JSON. A record is a line of a zone file, with its
// data as octets (RFC 3597, Section 5) if other text would lose some. A type is its name, and a
// TTL the text of a time.Duration. Keywords that are not set are left out. An error is an
// object with the keys text, temporary and timeout. An error that was read back has the same
// text and methods, but errors.Is does not find its causes. U+FFFD replaces each octet that is
// not UTF-8.
//
// Each octet of a name or text takes at most six octets of JSON, and each record repeats its
// owner name: one answer of a [Client] takes less than 8 MiB. The JSON of a result grows in
// proportion to that of its responses.
//
// # Coming from net.Resolver
//
//	package net                        here
//
//	LookupHost, LookupIP, LookupNetIP  LookupAddrs; for one family Ask and Answer.Addrs
//	LookupMX                           LookupMX, in the order of the answer
//	LookupTXT                          LookupTXT
//	LookupSRV("sip", "tcp", name)      LookupSRV of "_sip._tcp." + name
//	LookupAddr("192.0.2.10")           LookupPTR, which takes a netip.Addr
//	LookupNS                           Ask with dns.TypeNS
//	LookupCNAME                        Ask: the owner of Records, by way of Chain
//
//	DNSError.IsNotFound                no error, and no records; Answer.Status tells
//	                                   NXDOMAIN from NODATA
//	DNSError.IsTemporary               every error
//	DNSError.IsTimeout                 Error.Timeout
//
//	search list, ndots                 names are absolute: complete them before
//	the hosts file                     Overlay with Zones of these names
//	Resolver.Dial                      Client.Servers, or Client.Exchange
//	Resolver.PreferGo                  Client is all Go
//	Resolver.StrictErrors              LookupAddrs returns what it has and the error
//	a server on the loopback in tests  package dnsfake
//
// The main change is in the meaning of errors: every error is a failure, and an empty list is
// not an error, so code that treats IsNotFound as an empty list loses that case. Code that
// treated every error as "no such record" was wrong before.
//
// Give an [AsNet] to code that takes a value with the methods of package net. Code that takes
// the type *net.Resolver itself must first be changed to an interface of the methods that it
// calls, such as [NetResolver]. In the other direction, [FromNet] lets a program keep its
// *net.Resolver, or its test double, for the checkers of this module.
// The example "Migration" shows a function before and after.
package resolver
