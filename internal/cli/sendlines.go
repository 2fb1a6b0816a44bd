package cli

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/term"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/client"
)

// Bounds of what goes out together; the server's own are 1,000 events and 8 MiB.
const (
	maxBatch      = 1000
	maxBatchBytes = 4 << 20
	maxLine       = 2 << 20 // bytes of one event, over the server's default of 1 MiB
	maxRefusals   = 20      // lines that are named; the rest is counted
)

// lineSender publishes the lines of standard input.
type lineSender struct {
	r        *remote
	server   *client.Client
	options  sendOptions
	key      string // of this run; with a batch's number it makes repeating a call harmless
	progress *progress

	line       int // number of the last line read
	batch      []api.EventCreate
	numbers    []int // line of each event in batch
	bytes      int   // of the lines in batch
	batches    int
	accepted   int
	deliveries int
	refused    int
}

func sendLines(ctx context.Context, r *remote, o sendOptions) error {
	if o.data != "" || o.previous != "" || o.event.ID != "" || o.occurred != "" {
		return badUsagef("an event needs its --type; without one, events are read from standard input")
	}
	if o.batch < 1 || o.batch > maxBatch {
		return badUsagef("--batch: use a number from 1 to %d", maxBatch)
	}
	if file, ok := r.t.In.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return badUsagef("no event is given; name one with --type and --data, or give lines of JSON on standard input")
	}
	server, err := r.client()
	if err != nil {
		return err
	}
	s := &lineSender{r: r, server: server, options: o, key: o.key, progress: newProgress(r.t)}
	if s.key == "" {
		s.key = "send-" + rand.Text()
	}
	err = s.run(ctx)
	s.progress.clear()
	return s.report(err)
}

func (s *lineSender) run(ctx context.Context) error {
	lines := bufio.NewReaderSize(s.r.t.In, 64<<10)
	for {
		line, err := readLine(lines)
		if err != nil && err != io.EOF {
			return postrider.Errorf(postrider.CodeInvalid, "line %d: %w", s.line+1, err)
		}
		s.line++
		s.progress.read(len(line) + 1)
		s.take(bytes.TrimSpace(line))
		full := len(s.batch) >= s.options.batch || s.bytes >= maxBatchBytes
		if len(s.batch) > 0 && (full || err == io.EOF) {
			if err := s.send(ctx); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// readLine reads to the next newline. The last line gives io.EOF, and what it holds.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return nil, fmt.Errorf("it is over %d MiB, too large for an event", maxLine>>20)
		}
		if err != bufio.ErrBufferFull {
			return bytes.TrimSuffix(line, []byte("\n")), err
		}
	}
}

// take adds a line to the batch, or counts it as refused.
func (s *lineSender) take(line []byte) {
	if len(line) == 0 {
		return
	}
	var event api.EventCreate
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&event)
	if err == nil && decoder.More() {
		err = errors.New("there is more than one value")
	}
	if err != nil {
		s.refuse(s.line, "not an event, {\"type\": …, \"data\": …}: "+err.Error())
		return
	}
	if event.Environment == "" {
		event.Environment = s.options.event.Environment
	}
	s.batch, s.numbers = append(s.batch, event), append(s.numbers, s.line)
	s.bytes += len(line)
}

func (s *lineSender) send(ctx context.Context) error {
	answer, err := s.server.PublishLines(ctx, s.batch, s.key+"-"+strconv.Itoa(s.batches))
	if err != nil {
		return fmt.Errorf("lines %d to %d: %w", s.numbers[0], s.numbers[len(s.numbers)-1], err)
	}
	if len(answer.Data) != len(s.batch) {
		return fmt.Errorf("the server answered %d of %d events", len(answer.Data), len(s.batch))
	}
	for i, element := range answer.Data {
		if s.r.json {
			text, _ := json.Marshal(element) // of an API type, which has a JSON form
			fmt.Fprintf(s.r.t.Out, "%s\n", text)
		}
		if element.Error != nil {
			s.refuse(s.numbers[i], element.Error.Message)
			continue
		}
		s.accepted++
		if element.Deliveries != nil {
			s.deliveries += *element.Deliveries
		}
	}
	s.batches++
	s.batch, s.numbers, s.bytes = s.batch[:0], s.numbers[:0], 0
	s.progress.draw(s.accepted+s.refused, time.Now())
	return nil
}

func (s *lineSender) refuse(line int, why string) {
	s.refused++
	if s.refused <= maxRefusals {
		s.progress.clear()
		fmt.Fprintf(s.r.t.Err, "line %d: %s\n", line, oneLine(why))
	}
	if s.refused == maxRefusals+1 {
		s.progress.clear()
		fmt.Fprintln(s.r.t.Err, "further lines that are refused are only counted")
	}
}

// report says what became of everything, also when the sending ended early.
func (s *lineSender) report(failure error) error {
	if !s.r.json {
		fmt.Fprintf(s.r.t.Out, "%s accepted, %s\n", plural(s.accepted, "event"), plural(s.deliveries, "delivery"))
	}
	if failure != nil {
		return fmt.Errorf("%w (%s accepted before)", failure, plural(s.accepted, "event"))
	}
	if s.refused > 0 {
		return postrider.Errorf(postrider.CodeInvalid, "%s refused; correct and send these lines again", plural(s.refused, "event"))
	}
	return nil
}
