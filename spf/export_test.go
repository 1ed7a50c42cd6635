package spf

// AllowOneLabel sets whether domains of one label are judged: for a suite that has
// them.
func AllowOneLabel(allow bool) { oneLabel = allow }
