// Package nameserver starts real DNS servers for tests. Each runs without privileges on a
// free port of the loopback, has its files in a directory of its own, and is stopped when
// the test ends. A server that is not installed fails the test. All of it has the build
// tag interop.
package nameserver
