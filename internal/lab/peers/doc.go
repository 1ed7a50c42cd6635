// Package peers holds no code. Its benchmarks put this library beside others that
// do the same work, so that a claim about speed is a number of one run:
//
//	go test -run '^$' -bench . ./internal/lab/peers
//	go test -run '^$' -bench . -benchtime 10x -tags interop ./internal/lab/peers
//
// The second also asks NSD, in ten rounds. What is compared takes turns within
// each round, and medians are reported: the machine's other work weighs on all.
package peers
