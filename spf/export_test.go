package spf

// AllowOneLabel sets whether domains of one label are judged: for a suite that has
// them.
func AllowOneLabel(allow bool) { oneLabel = allow }

// Repair returns the record that NearMiss tells to write, "" if it does not say.
func Repair(text string) string {
	_, record := repair(text)
	return record
}
