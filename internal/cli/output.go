package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// table prints rows under a heading, in columns that are aligned by spaces.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer, heading ...string) *table {
	t := &table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.row(heading...)
	return t
}

func (t *table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = oneLine(cell)
	}
	fmt.Fprintln(t.w, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

func (t *table) flush() error { return t.w.Flush() }

// facts prints names and values under each other; a value that is "" is left out.
type facts struct{ w *tabwriter.Writer }

func newFacts(w io.Writer) *facts { return &facts{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

func (f *facts) add(name, value string) {
	if value != "" {
		fmt.Fprintf(f.w, "%s\t%s\n", name, oneLine(value))
	}
}

func (f *facts) flush() error { return f.w.Flush() }

// oneLine keeps text that came from elsewhere from drawing on the terminal: control characters are
// shown as spaces.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

// moment tells a time absolutely and relative to now: "2026-02-18 10:30:00Z (3 minutes ago)".
func moment(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z") + " (" + relative(t, now) + ")"
}

func relative(t, now time.Time) string {
	d := now.Sub(t)
	if d < 0 {
		return "in " + span(-d)
	}
	return span(d) + " ago"
}

// span tells a duration by its largest unit.
func span(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := d / unit.size; n >= 1 {
			return plural(int(n), unit.name)
		}
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, found := strings.CutSuffix(noun, "ry"); found { // delivery, deliveries; but day, days
		noun = stem + "rie"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printJSON prints v indented, as the REST interface would give it.
func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
