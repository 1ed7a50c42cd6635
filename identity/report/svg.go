package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// The identity map is drawn as columns in a frame. The frame is the organization: its
// bars stand left and right, and what is drawn between them leads from the one to the
// other, PTR names, addresses, HELO names. Where all the lines of a row hold, the
// identity is proven.

// Measures of the drawing, in pixels. A character is as wide as those of the widest
// monospaced fonts; what is not ASCII is given the place of two.
const (
	charWidth  = 8
	lineHeight = 17
	padding    = 8  // inside a box, left and right
	inset      = 6  // inside a box, above and below
	rowGap     = 10 // between boxes of a column
	barWidth   = 12
	barGap     = 40 // between a bar and the names
	columnGap  = 84
	maxLines   = 3  // of a box; longer names are cut there
	nameChars  = 24 // on a line
	addrChars  = 20
)

// A drawing is the identity map with every place decided.
type drawing struct {
	Width, Height int
	Domain        []label // on the frame
	Frame         int     // where the frame's head ends
	Heads         []label // of the columns
	Hosts         []label // above each host's rows
	Rules         []int   // lines between hosts
	Boxes         []box
	Links         []link
}

// Inner is where the space within the frame begins, from left to right.
func (d *drawing) Inner() int { return barWidth }

// InnerEnd is where the space within the frame ends, from left to right.
func (d *drawing) InnerEnd() int { return d.Width - barWidth }

// Bottom is where it ends below.
func (d *drawing) Bottom() int { return d.Height - barWidth }

// A label is one line of text; X and Y are its start on the baseline.
type label struct {
	X, Y int
	Text string
}

// A box is a name or an address.
type box struct {
	X, Y, W, H int
	Class      string // name, broken, unknown, off
	Title      string // the text, whole
	Labels     []label
}

func (b box) middle() int { return b.Y + b.H/2 }

// A link is the line from one box to another, or to a bar of the frame.
type link struct {
	State          Link
	X1, Y1, X2, Y2 int
	At             float64 // how far along it the sign of a broken one stands, 0 to 1
}

// Path is the link in the language of SVG.
func (l link) Path() string {
	mid := (l.X1 + l.X2) / 2
	return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", l.X1, l.Y1, mid, l.Y1, mid, l.Y2, l.X2, l.Y2)
}

// Cross is the sign of a broken link.
func (l link) Cross() string {
	// The Bézier curve of Path, whose inner points lie halfway between its ends.
	t, u := l.At, 1-l.At
	x := float64(l.X1)*(u*u*u+1.5*t*u) + float64(l.X2)*(t*t*t+1.5*t*u)
	y := float64(l.Y1)*(u*u*u+3*u*u*t) + float64(l.Y2)*(t*t*t+3*t*t*u)
	return fmt.Sprintf("M%d %dl10 10m0 -10l-10 10", int(x)-5, int(y)-5)
}

// draw lays the map of an organization out.
func draw(domain string, hosts []Host) *drawing {
	var rows []*row
	widths := [3]int{9 * charWidth, 9 * charWidth, 10 * charWidth} // of the heads
	for _, h := range hosts {
		r := newRow(h)
		rows = append(rows, r)
		for i, column := range r.columns() {
			for _, b := range column {
				widths[i] = max(widths[i], b.W)
			}
		}
	}
	d := &drawing{}
	names := barWidth + barGap
	addresses := names + widths[0] + columnGap
	helos := addresses + widths[1] + columnGap
	d.Width = helos + widths[2] + barGap + barWidth
	y := 24
	for _, text := range wrap(withoutDot(domain), (d.Width-2*barWidth)/charWidth, maxLines) {
		d.Domain = append(d.Domain, label{X: (d.Width - textWidth(text)) / 2, Y: y, Text: text})
		y += lineHeight
	}
	d.Frame = y - 4
	y += lineHeight
	d.Heads = []label{{names, y, "PTR names"}, {addresses, y, "addresses"}, {helos, y, "HELO names"}}
	for i, r := range rows {
		if i > 0 {
			d.Rules = append(d.Rules, y+rowGap)
		}
		y += lineHeight + rowGap
		id := wrap(r.host.ID, (d.Width-2*names)/charWidth, 1)[0]
		d.Hosts = append(d.Hosts, label{X: names, Y: y + rowGap/2, Text: id})
		y = r.place(y+rowGap+rowGap/2, [3]int{names, addresses, helos}, widths)
		for _, column := range r.columns() {
			for _, b := range column {
				d.Boxes = append(d.Boxes, *b)
			}
		}
		d.Links = append(d.Links, r.links(barWidth, d.Width-barWidth)...)
	}
	d.Height = y + 2*rowGap + barWidth
	return d
}

// A row is one host with its boxes.
type row struct {
	host      Host
	names     []*nameBox
	addresses []*box
	helo      *box
}

// A nameBox is a PTR name, or a word for there being none, with the addresses that have
// it.
type nameBox struct {
	*box
	own  Link         // whether it is the organization's; NotAsked for what is no name
	from map[int]Link // by the index of the address
}

func newRow(h Host) *row {
	r := &row{host: h}
	seen := make(map[string]*nameBox)
	name := func(i int, text, class string, own, state Link) {
		n, ok := seen[class+text]
		if !ok {
			n = &nameBox{box: newBox(text, class, nameChars), own: own, from: make(map[int]Link)}
			seen[class+text] = n
			r.names = append(r.names, n)
		}
		n.from[i] = state
	}
	for i, a := range h.Addresses {
		class := "name"
		if a.PTR == NotAsked {
			class = "off"
		}
		b := newBox(a.Address, class, addrChars)
		if a.PTR == NotAsked {
			b.add("not public")
		}
		r.addresses = append(r.addresses, b)
		for _, n := range a.Names {
			own := Broken
			if n.Own {
				own = Holds
			}
			name(i, withoutDot(n.Name), "name", own, n.Confirmed)
		}
		switch {
		case a.PTR == Broken:
			name(i, "no PTR record", "broken", NotAsked, Broken)
		case a.PTR == Unknown:
			name(i, "no answer", "unknown", NotAsked, Unknown)
		case a.Skipped > 0:
			name(i, fmt.Sprintf("and %d more names", a.Skipped), "broken", NotAsked, Broken)
		}
	}
	r.helo = newBox("greets nobody", "off", nameChars)
	if h.Helo != "" {
		r.helo = newBox(withoutDot(h.Helo), "name", nameChars)
	}
	return r
}

// columns returns the boxes from left to right.
func (r *row) columns() [3][]*box {
	var names []*box
	for _, n := range r.names {
		names = append(names, n.box)
	}
	return [3][]*box{names, r.addresses, {r.helo}}
}

// place gives every box its place, from y downward, and returns where they end. A name
// stands beside the middle of its addresses, or below the name before it.
func (r *row) place(y int, xs, widths [3]int) int {
	end, next := y, y
	for _, b := range r.addresses {
		b.move(xs[1], next, widths[1])
		next += b.H + rowGap
		end = max(end, b.Y+b.H)
	}
	next = y
	wanted := func(n *nameBox) int {
		sum := 0
		for i := range n.from {
			sum += r.addresses[i].middle()
		}
		return sum / len(n.from)
	}
	slices.SortStableFunc(r.names, func(a, b *nameBox) int { return wanted(a) - wanted(b) })
	for _, n := range r.names {
		n.move(xs[0], max(next, wanted(n)-n.H/2), widths[0])
		next = n.Y + n.H + rowGap
		end = max(end, n.Y+n.H)
	}
	middle := y
	if n := len(r.addresses); n > 0 {
		middle = (r.addresses[0].middle() + r.addresses[n-1].middle()) / 2
	}
	r.helo.move(xs[2], max(y, middle-r.helo.H/2), widths[2])
	return max(end, r.helo.Y+r.helo.H)
}

// links returns what leads from box to box and to the bars, which end at left and begin
// at right. Signs stand where lines are apart: at an address, unless it has several names.
func (r *row) links(left, right int) []link {
	var out []link
	add := func(state Link, x1, y1, x2, y2 int, at float64) {
		if state != NotAsked {
			out = append(out, link{state, x1, y1, x2, y2, at})
		}
	}
	nameCount := make(map[int]int) // how many names an address has
	for _, n := range r.names {
		for i := range n.from {
			nameCount[i]++
		}
	}
	for _, n := range r.names {
		add(n.own, left, n.middle(), n.X, n.middle(), 0.5)
		for i, a := range r.addresses {
			at := 0.85
			if nameCount[i] > 1 {
				at = 0.15
			}
			if state, ok := n.from[i]; ok {
				add(state, n.X+n.W, n.middle(), a.X, a.middle(), at)
			}
		}
	}
	for i, a := range r.host.Addresses {
		b := r.addresses[i]
		add(a.Helo, b.X+b.W, b.middle(), r.helo.X, r.helo.middle(), 0.15)
	}
	own := Broken
	switch {
	case r.host.Helo == "":
		own = NotAsked
	case r.host.HeloOwn:
		own = Holds
	}
	add(own, r.helo.X+r.helo.W, r.helo.middle(), right, r.helo.middle(), 0.5)
	return out
}

// withoutDot is a name without its final dot, as people write it.
func withoutDot(name string) string { return strings.TrimSuffix(name, ".") }

// newBox returns a box of the size of its text, which is placed later.
func newBox(text, class string, chars int) *box {
	b := &box{Class: class, Title: untrusted.Line(text), H: 2 * inset}
	for _, l := range wrap(text, chars, maxLines) {
		b.add(l)
	}
	return b
}

func (b *box) add(text string) {
	b.Labels = append(b.Labels, label{X: padding, Y: inset + lineHeight*(len(b.Labels)+1) - 4, Text: text})
	b.W, b.H = max(b.W, 2*padding+textWidth(text)), b.H+lineHeight
}

// move gives a box its place and the width of its column.
func (b *box) move(x, y, width int) {
	b.X, b.Y, b.W = x, y, width
	for i := range b.Labels {
		b.Labels[i].X += x
		b.Labels[i].Y += y
	}
}

// wrap cuts text into lines of so many characters, after a dot, colon or hyphen if that
// leaves a line half full. Of a text that is longer than so many lines the last ends in
// an ellipsis.
func wrap(text string, chars, lines int) []string {
	text = untrusted.Line(text)
	var out []string
	for {
		fits, mark, cells := len(text), 0, 0
		for i, r := range text {
			cells += cellsOf(r)
			if cells > chars {
				fits = i
				break
			}
			if strings.ContainsRune(".:-", r) && cells >= chars/2 {
				mark = i + 1
			}
		}
		switch {
		case fits == len(text):
			return append(out, text)
		case len(out) == lines-1:
			return append(out, cut(text, chars-2)+"…") // it has the place of two
		case mark > 0:
			fits = mark
		}
		out, text = append(out, text[:fits]), text[fits:]
	}
}

// cut returns what of the text has place in so many cells.
func cut(text string, cells int) string {
	for i, r := range text {
		if cells -= cellsOf(r); cells < 0 {
			return text[:i]
		}
	}
	return text
}

func cellsOf(r rune) int {
	if r < 0x80 {
		return 1
	}
	return 2
}

func textWidth(text string) int {
	n := 0
	for _, r := range text {
		n += cellsOf(r)
	}
	return n * charWidth
}
