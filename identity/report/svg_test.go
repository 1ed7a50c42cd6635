package report_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity/report"
)

// someHosts draws an organization of 1 to 30 addresses, with names of any length.
func someHosts(t *rapid.T) []report.Host {
	link := rapid.SampledFrom([]report.Link{report.Holds, report.Broken, report.Unknown, report.NotAsked})
	name := rapid.OneOf(rapid.StringMatching(`([a-z]{1,63}\.){0,4}`), rapid.String())
	var out []report.Host
	for left := rapid.IntRange(1, 30).Draw(t, "addresses"); left > 0; {
		h := report.Host{ID: name.Draw(t, "id"), Helo: name.Draw(t, "helo"), HeloOwn: rapid.Bool().Draw(t, "own")}
		shared := rapid.SliceOfN(name, 1, 3).Draw(t, "shared")
		for range rapid.IntRange(1, left).Draw(t, "of it") {
			a := report.HostAddress{Address: rapid.OneOf(rapid.StringMatching(`192\.0\.2\.[0-9]{1,3}|2001:db8(:[0-9a-f]{4}){6}`), name).Draw(t, "address"), PTR: link.Draw(t, "ptr"), Helo: link.Draw(t, "link"), Skipped: rapid.IntRange(0, 2).Draw(t, "skipped")}
			for range rapid.IntRange(0, 3).Draw(t, "names") {
				a.Names = append(a.Names, report.HostName{Name: rapid.OneOf(name, rapid.SampledFrom(shared)).Draw(t, "name"), Confirmed: link.Draw(t, "confirmed"), Own: rapid.Bool().Draw(t, "own")})
			}
			h.Addresses = append(h.Addresses, a)
			left--
		}
		out = append(out, h)
	}
	return out
}

// Whatever the hosts are: no two labels overlap, nor two boxes; each label of a box lies
// in it, all lies in the picture, and every line ends at a box or at the frame.
func TestDrawing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size, labels, boxes, ends := report.Draw(rapid.StringMatching(`([a-z]{1,20}\.){1,9}`).Draw(t, "domain"), someHosts(t))
		for _, list := range [][]report.Rect{labels, boxes} {
			for i, a := range list {
				if a.X < 0 || a.Y < 0 || a.X+a.W > size.W || a.Y+a.H > size.H {
					t.Errorf("%v is outside the picture %v", a, size)
				}
				for _, b := range list[:i] {
					if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
						t.Errorf("%v and %v overlap", a, b)
					}
				}
			}
		}
		for _, l := range labels {
			for _, b := range boxes {
				overlap := l.X < b.X+b.W && b.X < l.X+l.W && l.Y < b.Y+b.H && b.Y < l.Y+l.H
				if overlap && (l.X < b.X || l.Y < b.Y || l.X+l.W > b.X+b.W || l.Y+l.H > b.Y+b.H) {
					t.Errorf("%v lies across the edge of %v", l, b)
				}
			}
		}
		left, right := size.W, 0 // the frame, where a line ends that ends at no box
		free := 0
		for _, line := range ends {
			for i, end := range line {
				at := func(b report.Rect) bool {
					return end.Y == b.Y+b.H/2 && (i == 0 && end.X == b.X+b.W || i == 1 && end.X == b.X)
				}
				if !anyOf(boxes, at) {
					left, right = min(left, end.X), max(right, end.X)
					free++
				}
			}
		}
		for _, b := range boxes {
			if free > 0 && left < right && (b.X < left || b.X+b.W > right) {
				t.Errorf("%v lies outside the frame, %d to %d", b, left, right)
			}
		}
	})
}

func anyOf(list []report.Rect, is func(report.Rect) bool) bool {
	for _, r := range list {
		if is(r) {
			return true
		}
	}
	return false
}

// What the picture draws is what the hosts say, link by link.
func TestDrawingOfAnOrganization(t *testing.T) {
	hosts := []report.Host{
		{ID: "mx1", Helo: "post.example.test.", HeloOwn: true, Addresses: []report.HostAddress{
			{Address: "192.0.2.1", PTR: report.Holds, Helo: report.Holds, Names: []report.HostName{{Name: "mta.example.test.", Confirmed: report.Holds, Own: true}}},
			{Address: "192.0.2.2", PTR: report.Holds, Helo: report.Broken, Names: []report.HostName{{Name: "mta.example.test.", Confirmed: report.Broken, Own: true}}},
			{Address: "192.0.2.3", PTR: report.Broken, Helo: report.Unknown},
			{Address: "10.0.0.1", PTR: report.NotAsked, Helo: report.NotAsked},
		}},
		{ID: "in", Addresses: []report.HostAddress{{Address: "192.0.2.4", PTR: report.Unknown, Helo: report.NotAsked}}},
	}
	_, labels, boxes, ends := report.Draw("example.test.", hosts)
	var texts []string
	for _, l := range labels {
		texts = append(texts, l.Text)
	}
	want := "example.test|PTR names|addresses|HELO names|mx1|in|mta.example.test|no PTR record|192.0.2.1|192.0.2.2|192.0.2.3|10.0.0.1|not public|post.example.test|no answer|192.0.2.4|greets nobody"
	if got := strings.Join(texts, "|"); got != want {
		t.Errorf("labels\n got %s\nwant %s", got, want)
	}
	// Of mx1 the frame to the name, three to the addresses, three to the HELO name, and
	// from there to the frame; of the other one from no answer to the address.
	if got := fmt.Sprint(len(boxes), len(ends)); got != "10 9" {
		t.Errorf("boxes and lines: %s", got)
	}
}
