// Package peers has only tests: they run this library together with others. Its benchmarks
// compare the libraries at the same work, so that each claim about speed is a number of one
// run. It is a module of its own, so that the library does not require the others. From the
// root of the checkout:
//
//	go -C internal/lab/peers test -run '^$' -bench .
//	go -C internal/lab/peers test -run '^$' -bench . -benchtime 10x -tags interop
//
// The second also asks NSD, in ten rounds. The libraries take turns within each
// round, and medians are reported, since the machine's other work slows all of them.
package peers
