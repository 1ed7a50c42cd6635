// Package heapsize tells how much memory a value takes, so that what is kept of other
// people's answers can be bounded in bytes.
package heapsize

import "reflect"

// Of returns how many bytes of heap a value refers to, each string and record counted as if
// it were in memory of its own: for the records of a DNS answer never less than that, and
// less than twice as much. If it is over limit, Of returns some number over limit, soon.
func Of(v any, limit int64) int64 { return of(reflect.ValueOf(v), limit) }

func of(v reflect.Value, limit int64) int64 {
	if limit < 0 {
		return 0 // it is too much already
	}
	var n int64
	switch v.Kind() {
	case reflect.String:
		n = Block(v.Len())
	case reflect.Slice:
		elem := v.Type().Elem()
		n = Block(v.Cap() * int(elem.Size()))
		if elem.Kind() <= reflect.Complex128 {
			break // the bytes of an address
		}
		fallthrough
	case reflect.Array:
		for i := 0; i < v.Len() && n <= limit; i++ {
			n += of(v.Index(i), limit-n)
		}
	case reflect.Struct:
		for i := 0; i < v.NumField() && n <= limit; i++ {
			n += of(v.Field(i), limit-n)
		}
	case reflect.Pointer, reflect.Interface:
		if elem := v.Elem(); elem.IsValid() {
			if elem.Kind() != reflect.Pointer {
				n = Block(int(elem.Type().Size()))
			}
			n += of(elem, limit-n)
		}
	case reflect.Map, reflect.Chan, reflect.UnsafePointer:
		return limit + 1 // only a private type can have one, and it is not kept
	}
	return n
}

// Block returns how much the allocator takes for so many bytes, or a little more:
// up to 256 a multiple of 16, or 8 or 24; above, less than a quarter is lost.
func Block(size int) int64 {
	if size <= 256 {
		return int64(size+15) &^ 15
	}
	return int64(size) + int64(size)/4
}
