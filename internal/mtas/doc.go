// Package mtas holds no code. Its tests hold the verdicts on clients beside what Postfix
// and Exim say of the same clients by the same DNS, and let Postfix refuse and stamp by
// the programs of examples/policyd and examples/milter.
package mtas
