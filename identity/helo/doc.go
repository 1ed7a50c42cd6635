// Package helo reads the argument of HELO and EHLO and checks the name in it.
//
// [Parse] reads the argument. [Checker.Check] reports whether the name resolves to the
// client, or to every address of an MTA: decide on Status; Err explains.
// [OrganizationalDomain] and [Relate] find the organization behind names, and [Unicode]
// shows a name to people.
//
// Everything here may be used concurrently if the Resolver may.
//
// # Bounds
//
// A check asks at most two questions, in one round trip. Beside the answers, of at most 64
// KiB each as DNS messages, it allocates less than 4 MiB in all, and its Result keeps less
// than 512 KiB. With the answers of a resolver.Client it keeps less than 2 MiB. The work
// grows with the size of the answers, and takes about 1 ms of CPU time.
package helo
