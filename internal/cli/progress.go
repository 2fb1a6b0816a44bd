package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progress draws one line on standard error while long work is under way, when that is a terminal;
// else it does nothing. Where the size of the input is known it draws a bar.
type progress struct {
	w     io.Writer // nil: draw nothing
	total int64     // bytes of the input, 0 when unknown
	done  int64     // bytes of it that were read
	start time.Time
	last  time.Time // when it was drawn
	drawn bool
}

const (
	barWidth  = 30
	drawEvery = 100 * time.Millisecond
	eraseLine = "\r\x1b[K"
)

func newProgress(t *Terminal) *progress {
	if !isTerminal(t.Err) {
		return &progress{}
	}
	p := &progress{w: t.Err, start: time.Now()}
	if file, ok := t.In.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			p.total = info.Size()
		}
	}
	return p
}

func (p *progress) read(n int) { p.done += int64(n) }

// draw shows how many events are done, if the last drawing is long enough ago.
func (p *progress) draw(events int, now time.Time) {
	if p.w == nil || now.Sub(p.last) < drawEvery {
		return
	}
	p.last, p.drawn = now, true
	line := fmt.Sprintf("%d events", events)
	if seconds := now.Sub(p.start).Seconds(); seconds > 0 {
		line += fmt.Sprintf("  %.0f/s", float64(events)/seconds)
	}
	if p.total > 0 {
		share := min(float64(p.done)/float64(p.total), 1)
		full := int(share * barWidth)
		line = fmt.Sprintf("[%s%s] %3.0f%%  %s", strings.Repeat("#", full), strings.Repeat(" ", barWidth-full), share*100, line)
	}
	fmt.Fprint(p.w, eraseLine+line)
}

// clear takes the line away, so that something else can be written.
func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.w, eraseLine)
		p.drawn = false
	}
}
