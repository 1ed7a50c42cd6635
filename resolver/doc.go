// Package resolver asks the DNS, or a substitute for it, through one small
// interface, [Resolver], that every checker of this module takes.
//
//   - [Client] asks DNS servers; [SystemClient] those of /etc/resolv.conf.
//     [Transfer] yields the records of a whole zone, from a server that allows it.
//   - [ParseZones] and [ReadZone] make [Zones], which answer from zone text in
//     memory, for tests and for auditing a zone before it is published.
//   - [Cache] keeps answers for their TTL, and asks each question once.
//   - [Overlay] answers as the DNS would after a change: zones or single records
//     laid over another Resolver.
//   - [FromNet] asks as the rest of the machine does, by a *net.Resolver.
//   - [Func] turns a function into a Resolver. Tracing, counting or rewriting
//     questions is a Func around another Resolver.
//   - [AsNet] gives a Resolver the lookup methods of *net.Resolver, for code
//     written against those.
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
package resolver
