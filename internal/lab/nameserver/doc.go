// Package nameserver starts real DNS servers for tests: each on a free port of
// the loopback, without privileges, with its files in a directory of its own,
// and stopped when the test ends. A server that is not installed fails the test:
// where interop tests run, it is. All of it has the build tag interop.
package nameserver
