package identity_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/identity"
)

func keysOf(v slog.Value) string {
	var keys []string
	for _, attr := range v.Group() {
		keys = append(keys, attr.Key)
	}
	return strings.Join(keys, " ")
}

// The keys of a log line are what dashboards are built on.
func TestLogKeys(t *testing.T) {
	v := verifier(fakeClients(t))
	v.Policy = identity.Policy{ReportOnly: true}
	s := v.Session(t.Context(), netip.MustParseAddr("192.0.2.10"))
	defer s.Close()
	for _, test := range []struct {
		verdict       *identity.Verdict
		want, details string
	}{
		{s.Connect(t.Context()), "step client level action reasons ptr_name questions took", "level_reason iprev"},
		{s.Helo(t.Context(), "smtp.example.test"), "step client level action reasons helo ptr_name questions took", "level_reason iprev helo_address helo_spf csa"},
		{s.Helo(t.Context(), "plain.example.test"), "step client level action reasons helo ptr_name questions took", "iprev helo_address helo_spf csa"},
		{s.MailFrom(t.Context(), "a@null.example.test"), "step client level action reasons withheld helo sender ptr_name questions took", "iprev helo_address helo_spf csa mail_from_spf null_mx"},
		{run(t, verifier(fakeClients(t)), "192.0.2.10", "smtp.example.test", "a@null.example.test"), "step client level action reasons reply helo sender ptr_name questions took", "level_reason iprev helo_address helo_spf csa mail_from_spf null_mx"},
		{new(identity.Verdict), "step client level action reasons questions took", ""},
	} {
		if got := keysOf(test.verdict.LogValue()); got != test.want || strings.Count(got, " ") >= 12 {
			t.Errorf("%s:\n got %s\nwant %s", test.verdict.Step, got, test.want)
		}
		if got := keysOf(test.verdict.LogDetails()); got != test.details {
			t.Errorf("%s, details:\n got %s\nwant %s", test.verdict.Step, got, test.details)
		}
	}
}

// A reader of logs finds each reason by itself.
func TestLogReasons(t *testing.T) {
	var text bytes.Buffer
	v := run(t, verifier(fakeClients(t)), "192.0.2.20", "mail.isp.test", "a@isp.test")
	slog.New(slog.NewJSONHandler(&text, nil)).Info("judged", "verdict", v, "details", v.LogDetails())
	var line struct {
		Verdict struct {
			Reasons   []string
			Took      int64
			Questions int
		}
		Details struct {
			LevelReason string `json:"level_reason"`
		}
	}
	if err := json.Unmarshal(text.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if got := line.Verdict; !slices.Equal(got.Reasons, []string{"generic-name", "helo-unresolved"}) || got.Took <= 0 || got.Questions != v.Questions || line.Details.LevelReason != "generic-name" {
		t.Errorf("%s", text.String())
	}
}
