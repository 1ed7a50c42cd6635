package resolver

import (
	"reflect"

	"github.com/miekg/dns"
)

// size returns how many bytes of heap what an answer refers to takes: its records,
// its chain and its server, each counted as if it were in memory of its own. The
// sum is never less than that, and less than twice as much. If it is over limit,
// size returns some number over limit, soon.
func (a Answer) size(limit int64) int64 {
	n := block(len(a.Server))
	for _, records := range [][]dns.RR{a.Chain, a.Records} {
		n += heapOf(reflect.ValueOf(records), limit-n)
	}
	return n
}

// heapOf returns how many bytes of heap a value refers to, or anything over limit
// if these are more.
func heapOf(v reflect.Value, limit int64) int64 {
	if limit < 0 {
		return 0 // it is too much already
	}
	var n int64
	switch v.Kind() {
	case reflect.String:
		n = block(v.Len())
	case reflect.Slice:
		elem := v.Type().Elem()
		n = block(v.Cap() * int(elem.Size()))
		if elem.Kind() <= reflect.Complex128 {
			break // the bytes of an address
		}
		fallthrough
	case reflect.Array:
		for i := 0; i < v.Len() && n <= limit; i++ {
			n += heapOf(v.Index(i), limit-n)
		}
	case reflect.Struct:
		for i := 0; i < v.NumField() && n <= limit; i++ {
			n += heapOf(v.Field(i), limit-n)
		}
	case reflect.Pointer, reflect.Interface:
		if elem := v.Elem(); elem.IsValid() {
			if elem.Kind() != reflect.Pointer {
				n = block(int(elem.Type().Size()))
			}
			n += heapOf(elem, limit-n)
		}
	case reflect.Map, reflect.Chan, reflect.UnsafePointer:
		return limit + 1 // only a private type can have one, and it is not kept
	}
	return n
}

// block returns how much the allocator takes for so many bytes, or a little more:
// up to 256 a multiple of 16, or 8 or 24; above, less than a quarter is lost.
func block(size int) int64 {
	if size <= 256 {
		return int64(size+15) &^ 15
	}
	return int64(size) + int64(size)/4
}
