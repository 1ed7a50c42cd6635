// Package netns runs tests again in a network and with mounts of their own, where
// clients have whatever addresses, the resolver of the system is the test's, and Exim
// asks it. That takes root; where it or a program is missing, the test fails. All of it
// has the build tag interop.
package netns
