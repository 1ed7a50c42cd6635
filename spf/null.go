package spf

// IsRecord reports whether receivers take a text for an SPF record: it begins with the
// version v=spf1, in any case, and ends there or goes on with a space (RFC 7208, Section
// 4.5). Whether the rest is right is for [Parse] to say.
func IsRecord(text string) bool { return isRecord(text) }

// IsNull reports whether a text is a null SPF record: one by which nobody may use the
// name, as v=spf1 -all. See [Record.IsNull].
func IsNull(text string) bool {
	r, err := Parse(text)
	return err == nil && r.IsNull()
}

// IsNull reports whether the record denies every client: it has an all, and each
// mechanism up to the first all has the qualifier "-". What stands after it is never
// looked at (RFC 7208, Section 5.1).
func (r *Record) IsNull() bool {
	for _, t := range r.Terms {
		switch {
		case t.Qualifier == 0: // a modifier
		case t.Qualifier != Fail:
			return false
		case t.Kind == All:
			return true
		}
	}
	return false
}
