//go:build interop

package report_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/internal/lab/debian"
)

var screenshots = flag.String("interop.screenshots", "", "directory to write screenshots of the pages to")

// TestInteropChromium looks at the pages in Chromium as readers would: on a phone and on
// a desk, by day and by night, without a mouse.
func TestInteropChromium(t *testing.T) {
	all := pages(t)
	all["many"] = manyAddresses(*all["good"])
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		rep, ok := all[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		previous := rep
		if name == "half" {
			previous = earlier(rep)
		}
		w.Header().Set("Content-Type", "text/html")
		if err := rep.WriteHTML(w, previous); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	ctx, said := browser(t)
	for name := range all {
		for _, width := range []int64{360, 1280} {
			for _, scheme := range []string{"light", "dark"} {
				t.Run(fmt.Sprintf("%s-%d-%s", name, width, scheme), func(t *testing.T) {
					said() // what belongs to another page
					call(t, ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 900, DeviceScaleFactor: 1, Mobile: width < 500})
					call(t, ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
					do(t, ctx, chromedp.Navigate(server.URL+"/"+name))
					screenshot(t, ctx, fmt.Sprintf("%s-%d-%s.png", name, width, scheme))
					checkRendered(t, ctx)
					if name == "hostile" {
						checkHostile(t, ctx)
					}
					if name == "half" {
						checkKeyboard(t, ctx)
						checkPaper(t, ctx)
					}
					for _, line := range said() {
						t.Errorf("the browser says: %s", line)
					}
				})
			}
		}
	}
}

// manyAddresses returns a report with a map of 30 addresses.
func manyAddresses(r report.Report) *report.Report {
	r.Hosts = nil
	for i, n := range []int{1, 8, 21} {
		h := report.Host{ID: fmt.Sprintf("mx%d", i+1), Helo: fmt.Sprintf("post%d.library.example.", i+1), HeloOwn: i != 1}
		for j := range n {
			a := report.HostAddress{Address: fmt.Sprintf("2001:db8:%x:%x::%x", i+1, j*4097, j+1), PTR: report.Holds, Helo: report.Link(1 + j%7%3)}
			if i == 2 {
				a.Address = fmt.Sprintf("198.51.100.%d", 10+j)
			}
			name := report.HostName{Name: fmt.Sprintf("mta%d.library.example.", i+1), Confirmed: report.Holds, Own: true}
			if i == 2 && j%4 == 3 {
				name = report.HostName{Name: fmt.Sprintf("host-198-51-100-%d.customers.provider.example.", 10+j), Confirmed: report.Link(1 + j%3)}
			}
			a.Names = []report.HostName{name}
			h.Addresses = append(h.Addresses, a)
		}
		r.Hosts = append(r.Hosts, h)
	}
	return &r
}

// browser starts Chromium, and returns what its console and log have said since they were
// last asked.
func browser(t *testing.T) (context.Context, func() []string) {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(debian.Program(t, "chromium", "chromium")), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		// A proxy that is not there: nothing of the browser's own gets out of this machine.
		chromedp.Flag("proxy-server", "127.0.0.1:1"), chromedp.Flag("proxy-bypass-list", "127.0.0.1"),
	)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	var mu sync.Mutex
	var lines []string
	err := chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			lines = append(lines, fmt.Sprint("console ", e.Type))
		case *runtime.EventExceptionThrown:
			lines = append(lines, "exception "+e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			lines = append(lines, e.Entry.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	call(t, ctx, log.Enable, cdp.Empty{})
	call(t, ctx, runtime.Enable, cdp.Empty{})
	return ctx, func() []string {
		mu.Lock()
		defer mu.Unlock()
		out := lines
		lines = nil
		return out
	}
}

// call sends a command to the browser.
func call[P, R any](t *testing.T, ctx context.Context, command cdp.Command[P, R], params P) {
	t.Helper()
	if _, err := chromedp.Call(ctx, command, params); err != nil {
		t.Fatal(err)
	}
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// evaluate returns what an expression in JavaScript gives.
func evaluate[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func screenshot(t *testing.T, ctx context.Context, file string) {
	t.Helper()
	if *screenshots == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screenshots, file), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// rendered finds what is wrong with a page as it is drawn, with all of it unfolded: text
// outside the window, too little contrast (WCAG 2.2, 1.4.3 and 1.4.11), text outside its
// box in the map, a table that has to be scrolled. It counts what it looked at.
const rendered = `(() => {
	document.querySelectorAll("details").forEach(d => d.open = true);
	const wrong = [], root = document.documentElement;
	if (root.scrollWidth > root.clientWidth) wrong.push("the page is " + root.scrollWidth + " wide, the window " + root.clientWidth);
	const parse = c => { const m = c.match(/[\d.]+/g); return m ? m.map(Number) : null; };
	const lum = c => { const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const ratio = (a, b) => { const [x, y] = [lum(a), lum(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
	const back = e => {
		for (; e; e = e.parentElement) {
			if (e.namespaceURI.endsWith("svg")) {
				const rect = e.tagName === "g" ? e.querySelector("rect") : null;
				if (rect) return parse(getComputedStyle(rect).fill);
				continue;
			}
			const c = parse(getComputedStyle(e).backgroundColor);
			if (c && (c.length < 4 || c[3] === 1)) return c;
		}
		throw new Error("no background");
	};
	let texts = 0, least = 99;
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walker.nextNode()) {
		const n = walker.currentNode, e = n.parentElement;
		if (!n.data.trim() || ["title", "desc"].includes(e.tagName)) continue;
		const style = getComputedStyle(e), svg = e.namespaceURI.endsWith("svg");
		let behind = back(e);
		if (e.classList.contains("domain")) behind = parse(getComputedStyle(e.ownerSVGElement.querySelector(".frame")).fill);
		const r = ratio(parse(svg ? style.fill : style.color), behind);
		texts++; least = Math.min(least, r);
		if (!(r >= 4.5)) wrong.push("contrast " + r.toFixed(2) + ": " + n.data.trim().slice(0, 40));
	}
	document.querySelectorAll("svg .link, svg .cross").forEach(e => {
		const r = ratio(parse(getComputedStyle(e).stroke), back(e));
		if (!(r >= 3)) wrong.push("contrast " + r.toFixed(2) + " of a line: " + e.getAttribute("class"));
	});
	let boxes = 0;
	document.querySelectorAll("svg .box").forEach(g => {
		const rect = g.querySelector("rect").getBBox();
		g.querySelectorAll("text").forEach(text => {
			boxes++;
			const b = text.getBBox();
			if (b.x < rect.x || b.x + b.width > rect.x + rect.width || b.y < rect.y || b.y + b.height > rect.y + rect.height) wrong.push("outside its box: " + text.textContent);
		});
	});
	document.querySelectorAll("svg.map text").forEach(text => {
		const b = text.getBBox(), v = text.ownerSVGElement.viewBox.baseVal;
		if (b.x < 0 || b.x + b.width > v.width || b.y < 0 || b.y + b.height > v.height) wrong.push("outside the picture: " + text.textContent);
	});
	document.querySelectorAll("main *").forEach(e => {
		if (!e.closest(".scroll") && !e.closest(".visually-hidden") && e.getClientRects().length && e.getBoundingClientRect().right > root.clientWidth + 0.5)
			wrong.push("outside the window: " + e.tagName + " " + e.textContent.trim().slice(0, 40));
	});
	document.querySelectorAll(".scroll:has(table)").forEach(e => {
		if (e.scrollWidth > e.clientWidth) wrong.push("a table is " + e.scrollWidth + " wide, its box " + e.clientWidth);
	});
	return {Wrong: wrong, Texts: texts, Least: least, Boxes: boxes};
})()`

func checkRendered(t *testing.T, ctx context.Context) {
	t.Helper()
	result := evaluate[struct {
		Wrong        []string
		Texts, Boxes int
		Least        float64
	}](t, ctx, rendered)
	for _, wrong := range result.Wrong {
		t.Error(wrong)
	}
	t.Logf("%d texts, of contrast %.2f at least; %d texts in boxes", result.Texts, result.Least, result.Boxes)
	if result.Texts < 100 || result.Boxes == 0 {
		t.Error("hardly anything was looked at")
	}
}

// checkHostile checks that hostile text made no element, and is shown as text.
func checkHostile(t *testing.T, ctx context.Context) {
	t.Helper()
	elements := evaluate[int](t, ctx, `document.querySelectorAll("script, img, iframe, object, embed, link, form, [onerror], [onclick], [style]").length`)
	texts := evaluate[int](t, ctx, `(() => {
		let n = 0;
		const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
		while (walker.nextNode()) if (walker.currentNode.data.includes("<script>alert(1)</script>")) n++;
		return n;
	})()`)
	body := evaluate[string](t, ctx, `document.documentElement.textContent`)
	if elements > 0 {
		t.Errorf("%d elements came out of the text", elements)
	}
	if texts < 20 {
		t.Errorf("only %d text nodes hold the hostile text", texts)
	}
	if i := strings.IndexAny(body, "\u202e\u2066\u200b\x1b\x00"); i >= 0 {
		t.Errorf("a control character or a bidirectional mark at %d", i)
	}
}

// checkPaper holds that all of the page is printed, the folded too, and that what is copied
// from a block is the records, a line each.
func checkPaper(t *testing.T, ctx context.Context) {
	t.Helper()
	copied := evaluate[string](t, ctx, `(() => { getSelection().selectAllChildren(document.querySelector("#publish pre")); return getSelection().toString(); })()`)
	lines := evaluate[string](t, ctx, `document.querySelector("#publish pre").textContent`)
	if strings.TrimSpace(copied) != strings.TrimSpace(lines) || strings.Count(strings.TrimSpace(copied), "\n") < 1 {
		t.Errorf("copied %q of %q", copied, lines)
	}
	call(t, ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	hidden := evaluate[int](t, ctx, `[...document.querySelectorAll("details li")].filter(e => !e.getClientRects().length || !e.checkVisibility({contentVisibilityAuto: true})).length`)
	if folded := evaluate[int](t, ctx, `document.querySelectorAll("details:not([open]) li").length`); hidden > 0 || folded == 0 {
		t.Errorf("%d items are not printed, of %d that are folded", hidden, folded)
	}
	call(t, ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
}

// checkKeyboard opens and closes what is folded, and reaches all that scrolls, by keys.
func checkKeyboard(t *testing.T, ctx context.Context) {
	t.Helper()
	const focused = `(() => { const e = document.activeElement, s = getComputedStyle(e); return {Tag: e.tagName, Class: e.className, Open: e.tagName === "SUMMARY" && e.parentElement.open, Outline: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2}; })()`
	type focus struct {
		Tag, Class    string
		Open, Outline bool
	}
	summaries, scrolling, toggled := 0, 0, false
	evaluate[int](t, ctx, `(() => { document.activeElement.blur(); document.querySelectorAll("details").forEach(d => d.open = false); return 0; })()`)
	for i := range 60 {
		do(t, ctx, chromedp.KeyEvent(kb.Tab))
		at := evaluate[focus](t, ctx, focused)
		if i == 0 && at.Class != "skip" {
			t.Errorf("the first key focuses %s %s, expected the link that skips", at.Tag, at.Class)
		}
		if at.Tag == "BODY" {
			break
		}
		if !at.Outline {
			t.Errorf("the focus is not seen on %s %s", at.Tag, at.Class)
		}
		if strings.Contains(at.Class, "scroll") {
			scrolling++
		}
		if at.Tag != "SUMMARY" {
			continue
		}
		summaries++
		if toggled {
			continue
		}
		toggled = true
		for _, open := range []bool{true, false} {
			do(t, ctx, chromedp.KeyEvent(kb.Enter))
			if at := evaluate[focus](t, ctx, focused); at.Open != open {
				t.Errorf("after Enter, open is %t", at.Open)
			}
		}
	}
	if summaries < 10 || scrolling < 2 || !toggled {
		t.Errorf("by keys: %d foldings, %d scrolling regions", summaries, scrolling)
	}
}
