// Package publish holds no code. Its test carries out a plan as its owners would: step by
// step, by nsupdate on BIND and in the zone files of NSD, by a letter to the ISP, and in
// the configuration of the MTAs, which are Exims and send mail to another after each step.
package publish
