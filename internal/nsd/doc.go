// Package nsd runs NSD, a DNS server of this machine's, for the tests that compare
// with it. All of it has the build tag interop.
package nsd
