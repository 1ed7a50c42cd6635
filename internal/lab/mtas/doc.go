// Package mtas holds no code. Its tests hold the verdicts on clients, and what audits say
// that Postfix and Exim would say of an MTA, beside what these do say by the same DNS,
// let Postfix refuse and stamp by the programs of examples/policyd and examples/milter,
// and ask it for its role mailboxes.
package mtas
