package receivers_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// receiver is a running receiver of a seed.
type receiver struct {
	url    string
	output *output
}

// start runs a command that listens on the port of the environment variable PORT and verifies with
// SECRET, and waits until it listens. The test's end ends it.
func start(t *testing.T, command []string, path, secret string) *receiver {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	arguments := make([]string, len(command))
	for i, argument := range command {
		arguments[i] = os.Expand(argument, func(string) string { return address })
	}
	process := exec.Command(arguments[0], arguments[1:]...)
	process.Env = append(os.Environ(), "PORT="+port, "SECRET="+secret, "NODE_ENV=production", "APP_ENV=production",
		"PYTHONUTF8=1", "PYTHONDONTWRITEBYTECODE=1", "LANG=C.UTF-8")
	heard := &output{}
	process.Stdout, process.Stderr = heard, heard
	if err := process.Start(); err != nil {
		t.Fatalf("%s does not start: %v", command[0], err)
	}
	ended := make(chan struct{})
	go func() { _ = process.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = process.Process.Kill() // it may have ended by itself, which the requests have shown
		<-ended
	})
	await(t, address, ended, heard)
	return &receiver{"http://" + address + path, heard}
}

// await waits until address is listened on.
func await(t *testing.T, address string, ended <-chan struct{}, heard *output) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(60 * time.Second)
	for {
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("the receiver ended before it listened:\n%s", heard)
		case <-deadline:
			t.Fatalf("the receiver does not listen after a minute:\n%s", heard)
		case <-again.C:
		}
	}
}

// output keeps the end of what a process says.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.text.Len() > 64<<10 {
		o.text.Reset()
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

const install = `: run "bash test/receivers/install.sh"`

// The commands of the receivers. Each fails the test with one line when what it runs on is missing.

func node(t *testing.T, file string) []string {
	t.Helper()
	if _, err := os.Stat(filepath.Join("node_modules", "express", "package.json")); err != nil {
		t.Fatal("Node's packages are not installed" + install)
	}
	return []string{find(t, "node"), file}
}

func flask(t *testing.T, file string) []string {
	t.Helper()
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(python, "-c", "import flask").Run() == nil {
			return []string{python, file}
		}
	}
	t.Fatal("Python's Flask is not installed" + install)
	return nil
}

func sinatra(t *testing.T, file string) []string {
	t.Helper()
	ruby := find(t, "ruby")
	if exec.Command(ruby, "-e", `require "sinatra/base"; require "webrick"`).Run() != nil {
		t.Fatal("Ruby's Sinatra is not installed" + install)
	}
	return []string{ruby, file}
}

func php(t *testing.T, file string) []string {
	t.Helper()
	return []string{find(t, "php"), "-d", "display_errors=0", "-S", "$ADDRESS", file}
}

func golang(t *testing.T, folder string) []string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "receiver"+strconv.Itoa(os.Getpid()))
	if text, err := exec.Command(find(t, "go"), "build", "-o", program, "./"+folder).CombinedOutput(); err != nil {
		t.Fatalf("%s does not build: %v\n%s", folder, err, text)
	}
	return []string{program}
}

func find(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(program + " is not installed" + install)
	}
	return path
}
