// Package errlist joins errors on one line: a result's Err is shown in logs, where
// the lines of errors.Join would be entries of their own.
package errlist

import "strings"

type list []error

// Join returns one error that wraps those that are not nil, nil if all are.
func Join(errs ...error) error {
	var l list
	for _, err := range errs {
		if err != nil {
			l = append(l, err)
		}
	}
	switch len(l) {
	case 0:
		return nil
	case 1:
		return l[0]
	}
	return l
}

// Error returns the texts, separated by semicolons.
func (l list) Error() string {
	var texts []string
	for _, err := range l {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

// Unwrap is for errors.Is and errors.AsType.
func (l list) Unwrap() []error { return l }
