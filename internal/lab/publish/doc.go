// Package publish holds no code. Its tests carry out plans as their owners would, step by
// step: with nsupdate on BIND, in the zone files of NSD, by a letter to the ISP, and in the
// configuration of the MTAs. These are Exims, and send mail to another Exim after each step.
// One is the plan of a company as real ones are, in testdata/company: after each change all mail
// that its zones show is judged.
package publish
