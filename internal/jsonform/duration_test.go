package jsonform_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/bonafide-mta/bonafide/internal/jsonform"
)

// A duration is written as its text, left out if it is zero, and read back.
func TestDuration(t *testing.T) {
	type wait struct {
		For jsonform.Duration `json:"for,omitzero"`
	}
	for text, want := range map[string]time.Duration{`{}`: 0, `{"for":"5m0s"}`: 5 * time.Minute, `{"for":"168h0m0s"}`: 168 * time.Hour} {
		var w wait
		if err := json.Unmarshal([]byte(text), &w); err != nil || time.Duration(w.For) != want {
			t.Errorf("%s: %v, %v", text, time.Duration(w.For), err)
		}
		if again, err := json.Marshal(w); err != nil || string(again) != text {
			t.Errorf("%s: %s, %v", text, again, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"for":"soon"}`), new(wait)); err == nil {
		t.Error("a text that is not a duration was taken")
	}
}
