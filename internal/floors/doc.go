// Package floors holds no code. Its tests hold the house in order: which package
// may import which, what a user's program is never made to link, and what no
// committed file may contain.
package floors
