package floors_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/identity"
)

// damages are what a part of a JSON text may be replaced by.
var damages = []any{nil, true, "", "x", -1, 1 << 62, []any{}, map[string]any{}, []any{nil}, []any{map[string]any{}}, "a.test.", "192.0.2.1", "pass", "fail", `a.test. 1 IN TXT "v=spf1 -all"`}

// damage returns a JSON value with some parts missing, repeated or replaced.
func damage(r *rand.Rand, value any) any {
	if r.IntN(12) == 0 {
		return damages[r.IntN(len(damages))]
	}
	switch value := value.(type) {
	case map[string]any:
		out := make(map[string]any)
		for k, part := range value {
			if r.IntN(8) > 0 {
				out[k] = damage(r, part)
			}
		}
		return out
	case []any:
		var out []any
		for _, part := range value {
			for range r.IntN(3) {
				out = append(out, damage(r, part))
			}
		}
		return out
	}
	return value
}

// Whatever JSON a value was read from, its methods and those of its parts do not panic.
func TestJSONDamaged(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, v := range jsonTypes {
		of := reflect.TypeOf(v)
		t.Run(of.String(), func(t *testing.T) {
			random := filler{Rand: rand.New(rand.NewPCG(seed, 0))}
			for i := 0; i < 60 && !t.Failed(); i++ {
				value := reflect.New(of)
				random.left = 300 * min(i, 1) // the zero value first
				random.fill(value.Elem())
				text, err := json.Marshal(value.Interface())
				if err != nil {
					t.Fatal(err)
				}
				for range min(i, 4) {
					var tree any
					decoder := json.NewDecoder(bytes.NewReader(text))
					decoder.UseNumber()
					if err := decoder.Decode(&tree); err != nil {
						t.Fatal(err)
					}
					damaged, err := json.Marshal(damage(random.Rand, tree))
					if err != nil {
						t.Fatal(err)
					}
					again := reflect.New(of)
					_ = json.Unmarshal(damaged, again.Interface()) // what was read before an error is there
					callMethods(t, damaged, again)
				}
				callMethods(t, text, value)
			}
		})
	}
}

// callMethods calls the methods of a value and of its parts, if there are arguments for them.
func callMethods(t *testing.T, text []byte, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || v.Type().Elem().Kind() != reflect.Struct {
			return
		}
		for i := range v.NumMethod() {
			callMethod(t, text, v, i)
		}
		for i := range v.Elem().NumField() {
			if v.Type().Elem().Field(i).IsExported() {
				callMethods(t, text, v.Elem().Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			callMethods(t, text, v.Index(i))
		}
	case reflect.Struct:
		if strings.Contains(v.Type().PkgPath(), "/bonafide") {
			callMethods(t, text, v.Addr())
		}
	}
}

// arguments are those of methods, by their types.
var arguments = map[reflect.Type]any{
	reflect.TypeFor[io.Writer]():       io.Discard,
	reflect.TypeFor[context.Context](): context.Background(),
	reflect.TypeFor[netip.Addr]():      netip.MustParseAddr("192.0.2.1"),
	reflect.TypeFor[string]():          "a.test.",
	reflect.TypeFor[identity.Policy](): identity.Policy{Explain: true, Levels: map[identity.Level]identity.Action{0: 9, identity.Anonymous: identity.Reject}},
}

func callMethod(t *testing.T, text []byte, v reflect.Value, i int) {
	method := v.Method(i)
	name := v.Type().Method(i).Name
	var args []reflect.Value
	for in := range method.Type().NumIn() {
		arg, ok := arguments[method.Type().In(in)]
		if !ok {
			return
		}
		args = append(args, reflect.ValueOf(arg))
	}
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s.%s panics: %v\n%.500s\n%s", v.Type(), name, p, text, debug.Stack())
		}
	}()
	if !method.Type().IsVariadic() {
		method.Call(args)
	}
}
