package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/postrider/postrider"
)

// child is a process that this benchmark started. It is ended through its handle and through nothing else.
type child struct {
	name    string
	command *exec.Cmd
	stdin   io.Closer // the benchmark's own programs end when it closes, whatever became of their parent
	out     *capture
	log     *capture
	exited  chan struct{}
	err     error // of Wait; set when exited is closed
}

// childSpec says what to start.
type childSpec struct {
	name string // for messages: "sink"
	path string
	args []string
	env  []string // beside the parent's environment, less the variables that would configure the product
}

// Bounds on children.
const (
	stopGrace  = 15 * time.Second // to end by itself, before it is killed
	startGrace = 60 * time.Second // to be ready
	maxCapture = 1 << 20          // bytes kept of each output
)

// startChild starts a process. The caller must stop it.
func startChild(spec childSpec) (*child, error) {
	command := exec.Command(spec.path, spec.args...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "POSTRIDER_") {
			command.Env = append(command.Env, variable)
		}
	}
	command.Env = append(command.Env, spec.env...)
	command.WaitDelay = time.Second
	endWithParent(command)
	c := &child{name: spec.name, command: command, out: newCapture(), log: newCapture(), exited: make(chan struct{})}
	command.Stdout, command.Stderr = c.out, c.log
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.stdin = stdin
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the %s: %w", spec.name, err)
	}
	go func() {
		c.err = command.Wait()
		close(c.exited)
	}()
	return c, nil
}

func (c *child) pid() int { return c.command.Process.Pid }

// ready waits for the child's first line, which is JSON, and decodes it.
func (c *child) ready(ctx context.Context, into any) error {
	ctx, cancel := context.WithTimeout(ctx, startGrace)
	defer cancel()
	select {
	case <-c.out.line:
		return c.decode(into)
	case <-c.exited:
		return c.failure("ended before it was ready")
	case <-ctx.Done():
		return c.failure("was not ready in time")
	}
}

// result waits until the child ends and decodes the line that it printed.
func (c *child) result(ctx context.Context, into any) error {
	select {
	case <-c.exited:
	case <-ctx.Done():
		return c.failure("did not end in time")
	}
	if c.err != nil {
		return c.failure("failed: " + c.err.Error())
	}
	return c.decode(into)
}

func (c *child) decode(into any) error {
	line, _, _ := bytes.Cut(c.out.bytes(), []byte("\n"))
	if err := json.Unmarshal(line, into); err != nil {
		return c.failure("answered " + string(line[:min(len(line), 200)]))
	}
	return nil
}

// stop ends the child: gracefully, or after a while by force. It may be called more than once.
func (c *child) stop() {
	_ = c.stdin.Close()
	if err := c.command.Process.Signal(syscall.SIGTERM); err != nil {
		_ = c.command.Process.Kill()
	}
	select {
	case <-c.exited:
	case <-time.After(stopGrace):
		_ = c.command.Process.Kill()
		<-c.exited
	}
}

// failure is an error that shows the end of what the child logged.
func (c *child) failure(what string) error {
	log := bytes.TrimSpace(c.log.bytes())
	const shown = 2000
	if len(log) > shown {
		log = log[len(log)-shown:]
	}
	if len(log) == 0 {
		log = []byte("(it logged nothing)")
	}
	return postrider.Errorf(postrider.CodeUnavailable, "the %s %s; it said:\n%s", c.name, what, log)
}

// capture keeps what a child writes: the first half of the bound and the newest of the rest.
type capture struct {
	mu   sync.Mutex
	kept []byte
	line chan struct{} // closed at the first line's end
}

func newCapture() *capture { return &capture{line: make(chan struct{})} }

// Write keeps p; it never fails.
func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	complete := bytes.IndexByte(c.kept, '\n') >= 0
	c.kept = append(c.kept, p...)
	if !complete && bytes.IndexByte(p, '\n') >= 0 {
		close(c.line)
	}
	if over := len(c.kept) - maxCapture; over > 0 {
		c.kept = append(c.kept[:maxCapture/2], c.kept[maxCapture/2+over:]...)
	}
	return len(p), nil
}

func (c *capture) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.kept)
}
