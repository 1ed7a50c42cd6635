package floors_test

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A filler fills values at random.
type filler struct {
	*rand.Rand
	left int // how many values may still be made
}

// oddTexts are strings that JSON or its readers may stumble over.
var oddTexts = []string{"", "a", "mail.example.test.", "a b", "<&>\u2028", "\x00\n\x7f", "\xff\\ufffd", "\ufffd", `\`, `"`, "ü.example", "null", strings.Repeat("x", 254)}

// lines are records of several types.
var lines = []string{
	"a.test. 300 IN A 192.0.2.1", "a.test. 0 IN AAAA 2001:db8::1", `a.test. 300 IN TXT "a\"\\\255;" ""`, "a.test. 300 IN MX 10 m.test.", "a.test. 300 IN MX 0 .",
	`_client._smtp.a.test. 300 IN SRV 1 2 1 a\.b.test.`, "a.test. 300 IN RP x.test. .", "a.test. 300 IN CNAME b.test.", `a.test. 300 IN TYPE65400 \# 2 00ff`,
	`-$a.test. 300 IN CAA 0 issue ""`, `a\032b.test. 300 CH PTR .`, "a.test. 300 IN LOC 1 N 1 E 0", `a.test. 300 IN NULL \# 1 00`, "a.test. 300 IN RP . t.test.",
	`a.test. 300 IN SVCB 1 . alpn="h2"`, "a.test. 300 IN TYPE65401 \\# 0", `a.test. 300 IN TXT "v=spf1 -all"`, "_client._smtp.b.test. 1 IN SRV 1 1 0 .",
}

type temporary struct{ error }

func (temporary) Temporary() bool { return true }

var failures = []error{
	nil, errors.New("plain"), errors.New("\xff\n<>"), &resolver.Error{Name: "a.test.", Type: 1, RCode: 2, Server: "192.0.2.53:53"},
	&resolver.Error{Err: context.DeadlineExceeded}, fmt.Errorf("x: %w", context.Canceled), (*resolver.Error)(nil), temporary{errors.New("later")},
	errors.Join(errors.New("a"), errors.New("b")), &resolver.Error{Name: "a.test.", Extended: []resolver.ExtendedError{{Code: 6, Text: "\u202e"}}},
}

var (
	rrType    = reflect.TypeFor[dns.RR]()
	errorType = reflect.TypeFor[error]()
)

// fill fills a value.
func (f *filler) fill(v reflect.Value) {
	if f.left--; f.left < 0 {
		return
	}
	switch v.Addr().Interface().(type) {
	case *netip.Addr:
		addrs := []netip.Addr{{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("fe80::1%eth0")}
		v.Set(reflect.ValueOf(addrs[f.IntN(len(addrs))]))
		return
	case *netip.AddrPort:
		v.Set(reflect.ValueOf([]netip.AddrPort{{}, netip.MustParseAddrPort("192.0.2.1:25"), netip.MustParseAddrPort("[2001:db8::1]:25")}[f.IntN(3)]))
		return
	case *netip.Prefix:
		v.Set(reflect.ValueOf([]netip.Prefix{{}, netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("::/0"), netip.MustParsePrefix("2001:db8::1/33")}[f.IntN(4)]))
		return
	case *time.Time:
		v.Set(reflect.ValueOf([]time.Time{{}, time.Unix(f.Int64N(1<<32), f.Int64N(1e9)).UTC()}[f.IntN(2)]))
		return
	case *report.Subject:
		v.Set(reflect.ValueOf([]report.Subject{{}, {MTA: "mx1"}, {MTA: "mx1", Address: "192.0.2.1"}, {Name: "a.test."}}[f.IntN(4)]))
		return
	}
	if v.Type() == errorType {
		if err := failures[f.IntN(len(failures))]; err != nil {
			v.Set(reflect.ValueOf(err))
		}
		return
	}
	if v.Type().Implements(rrType) {
		if rr := f.record(v.Type()); rr != nil {
			v.Set(reflect.ValueOf(rr))
		}
		return
	}
	f.fillKind(v)
}

// record returns a record, mostly.
func (f *filler) record(as reflect.Type) dns.RR {
	for f.IntN(20) > 0 {
		rr, err := dns.NewRR(lines[f.IntN(len(lines))])
		if err != nil {
			panic(err)
		}
		if reflect.TypeOf(rr).AssignableTo(as) {
			return rr
		}
	}
	return nil
}

func (f *filler) fillKind(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt([]int64{0, 1, -1, f.Int64()}[f.IntN(4)])
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if f.IntN(4) > 0 {
			f.number(v)
		}
	case reflect.Float64:
		v.SetFloat([]float64{0, 1.5, -0.1, f.NormFloat64()}[f.IntN(4)])
	case reflect.String:
		v.SetString(oddTexts[f.IntN(len(oddTexts))])
	case reflect.Pointer:
		if f.IntN(4) > 0 && f.left > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem())
		}
	case reflect.Slice:
		if n := f.IntN(4); n > 0 && f.left > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n-1, n))
		}
		for i := range v.Len() {
			f.element(v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			f.element(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range f.IntN(4) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.element(key)
			f.element(value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				f.fill(v.Field(i))
			}
		}
	default:
		panic(fmt.Sprintf("a %s cannot be filled", v.Type()))
	}
}

// element fills an element of a list or map, which is never the zero value of an enum.
func (f *filler) element(v reflect.Value) {
	if _, isText := v.Addr().Interface().(encoding.TextMarshaler); isText && v.CanUint() {
		f.number(v)
		return
	}
	f.fill(v)
}

// number sets a number. One of an enum is valid.
func (f *filler) number(v reflect.Value) {
	for {
		v.SetUint(f.Uint64() & (1<<v.Type().Bits() - 1) >> f.IntN(v.Type().Bits()))
		if m, ok := v.Addr().Interface().(encoding.TextMarshaler); ok {
			if text, err := m.MarshalText(); err != nil || len(text) == 0 {
				continue
			}
		}
		return
	}
}

// differs returns where a value that was read back is another one, "" if nowhere. Errors are
// the same if they say the same.
func differs(a, b reflect.Value) string {
	switch x := a.Interface().(type) {
	case error:
		if a.Type() == errorType {
			return differentErrors(x, b.Interface())
		}
	case dns.RR:
		if !a.IsNil() && (b.IsNil() || b.Interface().(dns.RR).String() != x.String()) {
			return fmt.Sprintf("%v: was %s", b, x)
		}
		return ""
	case time.Time:
		if !x.Equal(b.Interface().(time.Time)) {
			return fmt.Sprintf("%v: was %v", b, a)
		}
		return ""
	case netip.Addr, netip.AddrPort, netip.Prefix:
		if a.Interface() != b.Interface() {
			return fmt.Sprintf("%v: was %v", b, a)
		}
		return ""
	}
	return differentKinds(a, b)
}

func differentErrors(a error, b any) string {
	if v := reflect.ValueOf(a); v.Kind() == reflect.Pointer && v.IsNil() {
		return "" // nil in an error, which has no methods
	}
	again, ok := b.(error)
	if !ok || strings.ToValidUTF8(a.Error(), "\ufffd") != again.Error() || isTemporary(a) != isTemporary(again) || isTimeout(a) != isTimeout(again) {
		return fmt.Sprintf("%v (%t, %t): was %v (%t, %t)", b, isTemporary(again), isTimeout(again), a, isTemporary(a), isTimeout(a))
	}
	return ""
}

func isTemporary(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}

func differentKinds(a, b reflect.Value) string {
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if !a.Type().Field(i).IsExported() {
				continue
			}
			if diff := differs(a.Field(i), b.Field(i)); diff != "" {
				return a.Type().Field(i).Name + ": " + diff
			}
		}
		return ""
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() {
			return fmt.Sprintf("%d elements: were %d", b.Len(), a.Len())
		}
		for i := range a.Len() {
			if diff := differs(a.Index(i), b.Index(i)); diff != "" {
				return fmt.Sprintf("%d: %s", i, diff)
			}
		}
		return ""
	case reflect.Map:
		if a.Len() != b.Len() {
			return fmt.Sprintf("%d elements: were %d", b.Len(), a.Len())
		}
		for _, key := range a.MapKeys() {
			if !b.MapIndex(key).IsValid() {
				return fmt.Sprintf("lacks %v", key)
			}
			if diff := differs(a.MapIndex(key), b.MapIndex(key)); diff != "" {
				return fmt.Sprintf("%v: %s", key, diff)
			}
		}
		return ""
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			if a.IsNil() != b.IsNil() {
				return fmt.Sprintf("%v: was %v", b, a)
			}
			return ""
		}
		return differs(a.Elem(), b.Elem())
	case reflect.String:
		if strings.ToValidUTF8(a.String(), "\ufffd") != b.String() {
			return fmt.Sprintf("%q: was %q", b, a)
		}
		return ""
	}
	if !a.Equal(b) {
		return fmt.Sprintf("%v: was %v", b, a)
	}
	return ""
}
