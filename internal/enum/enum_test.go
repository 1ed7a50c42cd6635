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

type basket uint16

func TestSet(t *testing.T) {
	words := []string{"apple", "pear", "plum"}
	for set, want := range map[basket]string{0: "", 1: "apple", 6: "pear,plum", 8: ""} {
		if got := enum.SetString(set, words); got != want {
			t.Errorf("SetString(%d) = %q, want %q", set, got, want)
		}
		text, err := enum.MarshalSet(set, words)
		if valid := set < 8; valid != (err == nil) || valid && string(text) != want {
			t.Errorf("MarshalSet(%d) = %q, %v", set, text, err)
		}
		var again basket
		if err := enum.UnmarshalSet(&again, text, words); set < 8 && (err != nil || again != set) {
			t.Errorf("%q is read as %d, %v", text, again, err)
		}
	}
	set := basket(2)
	if err := enum.UnmarshalSet(&set, []byte("PLUM,apple"), words); err != nil || set != 5 {
		t.Errorf("got %d, %v", set, err)
	}
	for _, text := range []string{"fig", "apple,", ",", "apple plum"} {
		if err := enum.UnmarshalSet(&set, []byte(text), words); err == nil || set != 5 {
			t.Errorf("UnmarshalSet(%q): got %d, %v; want an error and no change", text, set, err)
		}
	}
}
