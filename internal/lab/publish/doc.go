// Package publish holds no code. Its test carries out a plan as its owners would, step by
// step: with nsupdate on BIND, in the zone files of NSD, by a letter to the ISP, and in the
// configuration of the MTAs. These are Exims, and send mail to another Exim after each step.
package publish
