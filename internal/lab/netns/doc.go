// Package netns runs tests again in a network and with mounts of their own. There,
// clients have any address, the test is the resolver of the system, and Exim asks it.
// That takes root; if it or a program is missing, the test fails. All of it has the build
// tag interop.
package netns
