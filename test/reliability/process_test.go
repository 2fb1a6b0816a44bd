package reliability_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider/client"
)

// program is the path of the binary under test, built once by TestMain.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "postrider-reliability-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	program = filepath.Join(folder, "postrider")
	build := exec.Command("go", "build", "-o", program, "github.com/postrider/postrider/cmd/postrider")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

const operatorKey = "an-operators-key-for-tests-0123456789abcdef"

// gateway is the real program on a data folder and an address that outlive it.
type gateway struct {
	t       testing.TB
	data    string
	address string
	env     []string

	command *exec.Cmd
	log     lockedBuffer
	ended   chan error // gets the process's end, once
}

func newGateway(t testing.TB) *gateway {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	g := &gateway{t: t, data: filepath.Join(t.TempDir(), "data"), address: listener.Addr().String()}
	t.Cleanup(func() {
		if g.command != nil {
			g.kill()
		}
	})
	return g
}

// start runs the program and waits until it is ready.
func (g *gateway) start(args ...string) {
	g.t.Helper()
	g.command = exec.Command(program, append([]string{"serve", "--dev", "--listen", g.address, "--data", g.data}, args...)...)
	g.command.Env = append(append(os.Environ(), "POSTRIDER_OPERATOR_KEY="+operatorKey), g.env...)
	g.command.Stderr, g.command.Stdout = &g.log, &g.log
	if err := g.command.Start(); err != nil {
		g.t.Fatal(err)
	}
	command, ended := g.command, make(chan error, 1)
	g.ended = ended
	go func() { ended <- command.Wait() }()
	ctx, cancel := context.WithTimeout(g.t.Context(), 30*time.Second)
	defer cancel()
	c := g.client()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for c.Ready(ctx) != nil {
		select {
		case <-tick.C:
		case err := <-ended:
			g.t.Fatalf("the program ended before it was ready: %v\n%s", err, g.log.String())
		case <-ctx.Done():
			g.t.Fatalf("the program is not ready after 30 s\n%s", g.log.String())
		}
	}
}

// kill ends the program as kill -9 does, and waits for its end.
func (g *gateway) kill() {
	if err := g.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		g.t.Error(err)
	}
	<-g.ended
	g.command = nil
}

// client speaks to the gateway with the operator's key and tries everything once.
func (g *gateway) client() *client.Client {
	g.t.Helper()
	c, err := client.New("http://"+g.address, operatorKey, client.WithRetries(1, time.Second))
	if err != nil {
		g.t.Fatal(err)
	}
	return c
}

// lockedBuffer takes the output of a process while others read it.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
