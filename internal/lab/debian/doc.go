// Package debian finds the programs that Debian packages install, for tests that
// compare with real servers. A package may be installed, or unpacked (dpkg-deb -x)
// with its directories in PATH.
// All of it has the build tag interop.
package debian
