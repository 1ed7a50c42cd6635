// Package helo reads the argument of HELO and EHLO and checks the name in it.
//
// [Parse] reads the argument. [Checker.Check] reports whether the name resolves to the
// client, or to every address of an MTA: decide on Status; Err explains.
// [OrganizationalDomain] and [Relate] find the organization behind names, and [Unicode]
// shows a name to people.
//
// A check asks at most two questions, in one round trip. Everything here may be used
// concurrently if the Resolver may.
package helo
