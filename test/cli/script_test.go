// Package cli_test runs the scripts of testdata against the real program and real servers.
//
// A script is lines of commands, then files, each under a line "-- name --". The commands are:
//
//	server [flags]              start `postrider serve --dev` on a free port and a store of its own; the
//	                            commands after it reach it, since POSTRIDER_URL and POSTRIDER_KEY are set
//	stop                        send the server SIGTERM and wait; it must end with 0
//	receiver NAME STATUS...     start an HTTP server; $NAME is its URL; it answers the statuses in turn, the last for good
//	postrider ARGS...           run the program; it must end with 0
//	exit N postrider ARGS...    run the program; it must end with N
//	until REGEXP postrider ...  run the program again and again until its output matches, for 10 s at most
//	stdin FILE                  the next program reads this file
//	stdout REGEXP, stderr REGEXP, no-stdout REGEXP, no-stderr REGEXP
//	                            look at what the last program printed
//	capture NAME REGEXP         $NAME is the first group of the match in the last output
//	env NAME=VALUE              set a variable for the programs after it
//	same FILE TEXT              the file holds the text and nothing else
//
// Words are split at spaces; '…' keeps spaces; $NAME stands for a variable, $DIR for the script's folder.
// A line "# …" is a comment.
package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestScripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	program := build(t)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			run(t, program, path)
		})
	}
}

// build compiles the program once for all scripts.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "postrider")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/postrider").CombinedOutput(); err != nil {
		t.Fatalf("the program does not compile: %v\n%s", err, out)
	}
	return program
}

// script is one script while it runs.
type script struct {
	t       *testing.T
	program string
	dir     string
	line    string // where it is, for messages
	vars    map[string]string
	stdin   []byte
	out     string
	err     string
	server  *process
}

// patience bounds every wait of a script.
const patience = 10 * time.Second

// operatorKey is the key that scripts manage their servers with.
const operatorKey = "the-operator-of-these-scripts"

func run(t *testing.T, program, path string) {
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, program: program, dir: t.TempDir(), vars: map[string]string{}}
	s.vars["DIR"] = s.dir
	commands := s.unpack(string(source))
	t.Cleanup(func() {
		if s.server != nil {
			s.server.stop()
		}
	})
	for i, line := range strings.Split(commands, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s.line = fmt.Sprintf("%s:%d: %s", path, i+1, line)
		s.do(s.words(line))
	}
}

var fileHead = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

// unpack writes the script's files and gives its commands.
func (s *script) unpack(source string) string {
	heads := fileHead.FindAllStringSubmatchIndex(source, -1)
	if len(heads) == 0 {
		return source
	}
	for i, head := range heads {
		end := len(source)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		path := filepath.Join(s.dir, filepath.FromSlash(source[head[2]:head[3]]))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(source[head[1]:end]), 0o600)); err != nil {
			s.t.Fatal(err)
		}
	}
	return source[:heads[0][0]]
}

func (s *script) words(line string) []string {
	var words []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			if i > 0 && len(words) > 0 && !strings.HasSuffix(strings.Split(line, "'")[i-1], " ") {
				words[len(words)-1] += s.expand(part) // --flag='a value'
				continue
			}
			words = append(words, s.expand(part))
			continue
		}
		for _, word := range strings.Fields(part) {
			words = append(words, s.expand(word))
		}
	}
	return words
}

var variable = regexp.MustCompile(`\$([A-Z]+)`)

func (s *script) expand(word string) string {
	return variable.ReplaceAllStringFunc(word, func(name string) string {
		value, found := s.vars[name[1:]]
		if !found {
			s.fail("there is no variable %s", name)
		}
		return value
	})
}

func (s *script) do(words []string) {
	s.t.Helper()
	rest := words[1:]
	switch words[0] {
	case "server":
		s.serve(rest)
	case "stop":
		s.stop()
	case "receiver":
		s.receive(rest)
	case "postrider":
		s.expect(0, rest)
	case "exit":
		code, err := strconv.Atoi(rest[0])
		if err != nil {
			s.fail("%v", err)
		}
		s.expect(code, rest[2:])
	case "until":
		s.until(rest[0], rest[2:])
	case "stdin":
		s.stdin = []byte(s.read(rest[0]))
	case "stdout", "stderr", "no-stdout", "no-stderr":
		s.look(words[0], rest[0])
	case "capture":
		match := s.pattern(rest[1]).FindStringSubmatch(s.out)
		if len(match) < 2 {
			s.fail("no match in\n%s", s.out)
		}
		s.vars[rest[0]] = match[1]
	case "same":
		if got := s.read(rest[0]); got != rest[1]+"\n" {
			s.fail("it holds %q", got)
		}
	case "env":
		name, value, _ := strings.Cut(rest[0], "=")
		s.vars[name] = value
	default:
		s.fail("there is no such command")
	}
}

func (s *script) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\n%s", s.line, fmt.Sprintf(format, args...))
}

func (s *script) read(name string) string {
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.fail("%v", err)
	}
	return string(text)
}

func (s *script) pattern(text string) *regexp.Regexp {
	p, err := regexp.Compile("(?m)" + text)
	if err != nil {
		s.fail("%v", err)
	}
	return p
}

func (s *script) environ() []string {
	environ := []string{"HOME=" + s.dir, "PATH=" + os.Getenv("PATH")}
	for name, value := range s.vars {
		if strings.HasPrefix(name, "POSTRIDER_") {
			environ = append(environ, name+"="+value)
		}
	}
	return environ
}

// exec runs the program and gives its exit code.
func (s *script) exec(args []string) int {
	ctx, cancel := context.WithTimeout(s.t.Context(), 4*patience)
	defer cancel()
	c := exec.CommandContext(ctx, s.program, args...)
	var out, err bytes.Buffer
	c.Dir, c.Env, c.Stdin, c.Stdout, c.Stderr = s.dir, s.environ(), bytes.NewReader(s.stdin), &out, &err
	failure := c.Run()
	s.out, s.err = out.String(), err.String()
	if ctx.Err() != nil {
		s.fail("it did not end\n%s%s", s.out, s.err)
	}
	if _, ok := errors.AsType[*exec.ExitError](failure); failure != nil && !ok {
		s.fail("%v", failure)
	}
	return c.ProcessState.ExitCode()
}

func (s *script) expect(code int, args []string) {
	s.t.Helper()
	got := s.exec(args)
	s.stdin = nil
	if got != code {
		s.fail("ended with %d, want %d\nstdout:\n%s\nstderr:\n%s", got, code, s.out, s.err)
	}
	for _, stream := range []string{s.out, s.err} {
		if strings.Contains(stream, "goroutine ") || strings.Contains(stream, "%!") {
			s.fail("this is not fit for a user:\n%s", stream)
		}
	}
}

func (s *script) until(text string, args []string) {
	p, deadline := s.pattern(text), time.Now().Add(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if s.exec(args) == 0 && p.MatchString(s.out) {
			return
		}
		if time.Now().After(deadline) {
			s.fail("no match in time; the last output was\n%s%s", s.out, s.err)
		}
		<-tick.C
	}
}

func (s *script) look(command, text string) {
	stream := s.out
	if strings.HasSuffix(command, "stderr") {
		stream = s.err
	}
	if found := s.pattern(text).MatchString(stream); found == strings.HasPrefix(command, "no-") {
		s.fail("it printed\n%s", stream)
	}
}

// receive starts a receiver that answers the given statuses in turn.
func (s *script) receive(words []string) {
	var next atomic.Int64
	statuses := words[1:]
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i := min(int(next.Add(1)), len(statuses)) - 1
		status, _ := strconv.Atoi(statuses[i])
		w.WriteHeader(status)
	}))
	s.t.Cleanup(r.Close)
	s.vars[words[0]] = r.URL
}

func (s *script) serve(flags []string) {
	if s.server != nil {
		s.fail("a server runs already")
	}
	args := append([]string{"serve", "--dev", "--listen", "127.0.0.1:0", "--data", filepath.Join(s.dir, "data")}, flags...)
	if _, chosen := s.vars["POSTRIDER_OPERATOR_KEY"]; !chosen {
		s.vars["POSTRIDER_OPERATOR_KEY"] = operatorKey
	}
	s.server = start(s.t, s.program, args, s.environ())
	s.vars["POSTRIDER_URL"] = s.server.await(regexp.MustCompile(`listens on (http://\S+)`))
	s.vars["POSTRIDER_KEY"] = s.vars["POSTRIDER_OPERATOR_KEY"]
}

func (s *script) stop() {
	if code := s.server.stop(); code != 0 {
		s.fail("the server ended with %d\n%s", code, s.server.out.String())
	}
	s.out, s.err, s.server = s.server.out.String(), s.server.log.String(), nil
}

// process is a program that runs beside the test.
type process struct {
	t        *testing.T
	command  *exec.Cmd
	out, log buffer
	ended    chan struct{}
}

func start(t *testing.T, program string, args, environ []string) *process {
	t.Helper()
	p := &process{t: t, command: exec.Command(program, args...), ended: make(chan struct{})}
	p.command.Env, p.command.Stdout, p.command.Stderr = environ, &p.out, &p.log
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.command.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		<-p.ended
	})
	return p
}

// await waits for a line on standard output and gives the pattern's first group.
func (p *process) await(pattern *regexp.Regexp) string {
	p.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if match := pattern.FindStringSubmatch(p.out.String()); match != nil {
			return match[1]
		}
		select {
		case <-p.ended:
			p.t.Fatalf("it ended too early\n%s%s", p.out.String(), p.log.String())
		case <-deadline.C:
			p.t.Fatalf("no %q in time\n%s%s", pattern, p.out.String(), p.log.String())
		case <-tick.C:
		}
	}
}

// stop sends SIGTERM, waits, and gives the exit code.
func (p *process) stop() int {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Errorf("it did not end in time\n%s%s", p.out.String(), p.log.String())
		_ = p.command.Process.Kill()
		<-p.ended
	}
	return p.command.ProcessState.ExitCode()
}

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
