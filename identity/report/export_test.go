package report

// A Rect is the place of something in the drawing of the identity map.
type Rect struct {
	X, Y, W, H int
	Text       string
}

// Draw lays the identity map out, and returns its size, its labels, its boxes with the
// number of their labels, and the ends of its lines.
func Draw(domain string, hosts []Host) (size Rect, labels, boxes []Rect, ends [][2]Rect) {
	d := draw(domain, hosts)
	size = Rect{W: d.Width, H: d.Height}
	add := func(all ...label) {
		for _, l := range all {
			// From the top of the letters to below the baseline.
			labels = append(labels, Rect{l.X, l.Y - 11, textWidth(l.Text), 14, l.Text})
		}
	}
	add(d.Domain...)
	add(d.Heads...)
	add(d.Hosts...)
	for _, b := range d.Boxes {
		add(b.Labels...)
		boxes = append(boxes, Rect{b.X, b.Y, b.W, b.H, b.Title})
	}
	for _, l := range d.Links {
		ends = append(ends, [2]Rect{{X: l.X1, Y: l.Y1}, {X: l.X2, Y: l.Y2}})
	}
	return size, labels, boxes, ends
}

// Code is a code span of Markdown.
func Code(text string) string { return code(text) }

// Fenced is a block of code.
func Fenced(lines []string) string {
	var m markdown
	m.fenced("", lines)
	return m.String()
}

// Policy is the Content-Security-Policy of the page.
func Policy() string { return policy }
