package resolver

import (
	"context"
	"errors"
	"fmt"
)

// errNoError replaces an error whose methods cannot be called.
var errNoError = errors.New("an error that is a nil pointer")

// detached calls somebody else's function and returns its results, or the error of ctx as soon
// as that is done; the function may go on. A panic and runtime.Goexit become errors: here they
// would end the program, or leave it waiting for ever.
func detached[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1) // buffered: when ctx is done nobody receives
	go func() {
		r := result{err: errExited} // unless f returns
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("%w: %v%s", errPanic, p, panicSite())
			}
			done <- r
		}()
		value, err := f()
		if err != nil && isBroken(err) {
			err = errNoError
		}
		r = result{value, err}
	}()
	select {
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	case r := <-done:
		return r.value, r.err
	}
}
