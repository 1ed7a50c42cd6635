package enum_test

import (
	"slices"
	"testing"

	"github.com/bonafide-mta/bonafide/internal/enum"
)

type fruit uint8

var keywords = []string{1: "apple", 2: "pear"}

func TestEnum(t *testing.T) {
	for value, want := range map[fruit]string{0: "enum_test.fruit(0)", 1: "apple", 2: "pear", 3: "enum_test.fruit(3)"} {
		if got := enum.String(value, keywords); got != want {
			t.Errorf("String(%d) = %q, want %q", value, got, want)
		}
		text, err := enum.Marshal(value, keywords)
		if valid := value == 1 || value == 2; valid != (err == nil) || valid && string(text) != want {
			t.Errorf("Marshal(%d) = %q, %v", value, text, err)
		}
	}
	var got fruit
	if err := enum.Unmarshal(&got, []byte("PEAR"), keywords); err != nil || got != 2 {
		t.Errorf("got %d, %v", got, err)
	}
	if all := enum.All[fruit](keywords); !slices.Equal(all, []fruit{1, 2}) {
		t.Errorf("All: %v", all)
	}
	for _, text := range []string{"", "plum"} {
		err := enum.Unmarshal(&got, []byte(text), keywords)
		if err == nil || got != 2 {
			t.Errorf("Unmarshal(%q): got %d, %v; want an error and no change", text, got, err)
		}
	}
}
