// Package flow finds the ways in which mail goes: by the records of zones, by the description
// of an organization, and by observations of its servers.
//
// [Read] surveys records. Its [Survey] holds three relations, and what shows each [Flow]:
// which clients may use a name in HELO, which clients may send as user@ a name, and where the
// mail for a name goes. Names are followed through aliases, DNAMEs and wildcards to the node
// at which a record about the flow would have to be: [Survey.At] returns the flows that new
// records at a node could hurt. [Observations] reads mail and logs, and yields what servers
// said in HELO. Packages plan, harden, draft and audit decide by the same survey.
//
// It asks no DNS, so it knows only the given records: not what an SPF include of another
// organization authorizes ([Survey.Foreign] names those), and not zones that were not read.
//
// Each relation grows at most with the number of records and names: networks of SPF records
// stay networks, and a flow names the host whose addresses its clients have
// ([Survey.Clients] looks them up).
package flow
