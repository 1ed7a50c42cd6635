// Package mtas holds no code. Its tests compare verdicts on clients, and what audits
// predict that Postfix and Exim do, with what these do by the same DNS. They let Postfix
// refuse and stamp mail by the programs of examples/policyd and examples/milter, as
// docs/postfix.md sets it up, and ask it for its role mailboxes.
package mtas
