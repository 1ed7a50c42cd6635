package jsonform

import "time"

// A Duration is the JSON form of a time.Duration: its text, such as "5m0s".
type Duration time.Duration

// IsZero is for omitzero.
func (d Duration) IsZero() bool { return d == 0 }

// MarshalText returns the text of the duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration does.
func (d *Duration) UnmarshalText(text []byte) error {
	read, err := time.ParseDuration(string(text))
	*d = Duration(read)
	return err
}
