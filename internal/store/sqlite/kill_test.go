package sqlite

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// childVariable makes the test binary a child process that plays a role on a data folder.
const childVariable = "POSTRIDER_TEST_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(childVariable); role != "" {
		if err := playChild(role, os.Args[len(os.Args)-1]); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func playChild(role, dir string) error {
	if role == "limited" {
		return playLimited(dir)
	}
	s, err := Open(context.Background(), Options{Dir: dir})
	if err != nil {
		return err
	}
	switch role {
	case "hold":
		fmt.Println("holding")
		select {}
	case "write":
		return playWriter(s)
	}
	return fmt.Errorf("unknown role %q", role)
}

// playWriter accepts and settles from several goroutines and prints, a line each, what was
// acknowledged, until it is killed.
func playWriter(s *Store) error {
	l := &life{store: s}
	ctx := context.Background()
	tenant, err := s.FindTenantByName(ctx, "bench")
	if err != nil {
		return err
	}
	l.tenant = tenant.ID
	if err := s.EachEndpoint(ctx, func(e *postrider.Endpoint) error { l.endpoints = append(l.endpoints, e.ID); return nil }); err != nil {
		return err
	}
	var mu sync.Mutex
	say := func(word string, batch []*store.Acceptance) {
		var b strings.Builder
		for _, a := range batch {
			fmt.Fprintln(&b, word, a.Event.ID)
		}
		mu.Lock()
		defer mu.Unlock()
		fmt.Print(b.String())
	}
	errs := make(chan error)
	for p := range 4 {
		go func() {
			for i := 0; ; i++ {
				batch := l.acceptances(1+(i*(p+3))%40, 3, []keys{noKeys, randomKeys}[i%2])
				if _, err := s.Accept(ctx, batch); err != nil {
					errs <- err
					return
				}
				say("accepted", batch)
				if i%3 == 0 {
					continue // these stay pending
				}
				if err := s.Settle(ctx, l.settlements(batch)); err != nil {
					errs <- err
					return
				}
				say("settled", batch)
			}
		}()
	}
	return <-errs
}

// TestNothingAcknowledgedIsLostWhenKilled kills a writing process at random moments, again and
// again on the same folder.
func TestNothingAcknowledgedIsLostWhenKilled(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	l := newLife(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	accepted, settled := make(map[string]bool), make(map[string]bool)
	for range 6 {
		child := startChild(t, "write", dir)
		enough := rand.IntN(3000)
		cut := "" // the last line may be half a line
		for lines := 0; child.lines.Scan(); lines++ {
			if cut != "" {
				t.Fatalf("the child says %q", cut)
			}
			word, id, _ := strings.Cut(child.lines.Text(), " ")
			if _, err := postrider.ParseEventID(id); err != nil {
				cut = child.lines.Text()
			} else if word == "accepted" {
				accepted[id] = true
			} else {
				settled[id] = true
			}
			if lines == enough {
				child.signal()
			}
		}
		child.kill()
		checkAfterKill(t, dir, l, accepted, settled)
	}
	t.Logf("%d accepted, %d of them settled", len(accepted), len(settled))
	if len(settled) == 0 {
		t.Error("nothing was settled: the test proves too little")
	}
}

func checkAfterKill(t *testing.T, dir string, l *life, accepted, settled map[string]bool) {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	states := make(map[string]postrider.Delivery)
	for f := (store.DeliveryFilter{Limit: 1000}); ; {
		page, err := s.Deliveries(t.Context(), l.tenant, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page {
			states[d.ID.Event.String()] = d
			f.Before, f.BeforeNumber = d.Sequence, d.ID.Number
		}
		if len(page) < f.Limit {
			break
		}
	}
	for id := range accepted {
		d, found := states[id]
		if !found {
			t.Fatalf("%s was acknowledged and is gone", id)
		}
		if settled[id] && (d.State != postrider.DeliverySucceeded || d.Attempts != 1) {
			t.Fatalf("%s was settled and is %+v", id, d)
		}
	}
	// Nothing is half there: an event, its delivery, its index entries and its attempt come together.
	var verdict string
	if err := s.reader.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("integrity check: %q, %v", verdict, err)
	}
	var events, deliveries, ended, attempts int
	err = s.reader.QueryRow(`SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM delivery),
		(SELECT count(*) FROM delivery WHERE state = 1), (SELECT count(*) FROM attempt)`).Scan(&events, &deliveries, &ended, &attempts)
	if err != nil || events != deliveries || ended != attempts || events != len(states) {
		t.Fatalf("%d events, %d deliveries (%d listed), %d ended, %d attempts: %v", events, deliveries, len(states), ended, attempts, err)
	}
}

// TestAFullDiskLosesNothing runs a child whose files cannot grow beyond a limit.
func TestAFullDiskLosesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	newLife(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	child := startChild(t, "limited", dir)
	var lines []string
	for child.lines.Scan() {
		lines = append(lines, child.lines.Text())
	}
	if got := strings.Join(lines, "\n"); got != "full, and works again" {
		t.Errorf("the child says %q", got)
	}
}

func playLimited(dir string) error {
	signal.Ignore(syscall.SIGXFSZ) // the write fails with EFBIG instead
	ctx := context.Background()
	s, err := Open(ctx, Options{Dir: dir})
	if err != nil {
		return err
	}
	tenant, err := s.FindTenantByName(ctx, "bench")
	if err != nil {
		return err
	}
	l := &life{store: s, tenant: tenant.ID}
	if err := s.EachEndpoint(ctx, func(e *postrider.Endpoint) error { l.endpoints = append(l.endpoints, e.ID); return nil }); err != nil {
		return err
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 3 << 20, Max: old.Max}); err != nil {
		return err
	}
	accepted, err := acceptUntilFull(ctx, l)
	if err != nil {
		return err
	}
	if err := s.Ping(ctx); postrider.ErrorCode(err) != postrider.CodeStorageFull {
		// A ping may still fit; then a batch must not.
		if _, err := s.Accept(ctx, l.acceptances(200, 1, noKeys)); postrider.ErrorCode(err) != postrider.CodeStorageFull {
			return fmt.Errorf("after a full disk: %w", err)
		}
	}
	if err := countEvents(ctx, l, accepted); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	for range 50 {
		if _, err := s.Accept(ctx, l.acceptances(100, 1, noKeys)); err != nil {
			return fmt.Errorf("with space again: %w", err)
		}
		accepted += 100
	}
	if err := countEvents(ctx, l, accepted); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	fmt.Println("full, and works again")
	return nil
}

// acceptUntilFull accepts until the disk is full and gives the number of events accepted.
func acceptUntilFull(ctx context.Context, l *life) (int, error) {
	for accepted := 0; accepted < 100_000; accepted += 100 {
		_, err := l.store.Accept(ctx, l.acceptances(100, 1, growingKeys))
		if code := postrider.ErrorCode(err); code == postrider.CodeStorageFull {
			return accepted, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("the disk never got full")
}

func countEvents(ctx context.Context, l *life, want int) error {
	var events, deliveries, keys int
	err := l.store.reader.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM delivery), (SELECT count(*) FROM event WHERE given_id IS NOT NULL) - (SELECT count(*) FROM event_key)").
		Scan(&events, &deliveries, &keys)
	if err != nil || events != want || deliveries != want || keys != 0 {
		return fmt.Errorf("%d events, %d deliveries, %d keys too few; want %d (%w)", events, deliveries, keys, want, err)
	}
	return nil
}

// TestTheDatabasesOwnLimitIsAFullDisk reaches SQLITE_FULL within a transaction.
func TestTheDatabasesOwnLimitIsAFullDisk(t *testing.T) {
	l := openBench(t, t.TempDir())
	ctx := t.Context()
	limit := func(pages int64) {
		t.Helper()
		err := l.store.writer.change(ctx, func(c *connection) error {
			_, err := c.rows(fmt.Sprintf("PRAGMA max_page_count = %d", pages))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit(300)
	accepted, err := acceptUntilFull(ctx, l)
	if err != nil {
		t.Fatal(err)
	}
	if err := countEvents(ctx, l, accepted); err != nil {
		t.Fatal(err)
	}
	_, err = l.store.Accept(ctx, l.acceptances(200, 1, noKeys))
	wantError(t, err, postrider.CodeStorageFull, l.store.dir, "nothing was stored", "Free some space")
	// What needs no space goes on.
	refill, err := l.store.Due(ctx, l.endpoints[0], time.Now(), 10)
	if err != nil || len(refill.Jobs) != 10 {
		t.Fatalf("%d jobs, %v", len(refill.Jobs), err)
	}
	limit(1 << 30)
	if _, err := l.store.Accept(ctx, l.acceptances(200, 1, noKeys)); err != nil {
		t.Fatal(err)
	}
	if err := countEvents(ctx, l, accepted+200); err != nil {
		t.Fatal(err)
	}
}

// child is a process of the test binary.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
	ended bool
}

func startChild(t *testing.T, role, dir string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, dir)
	cmd.Env = append(os.Environ(), childVariable+"="+role)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: cmd, lines: bufio.NewScanner(out)}
	t.Cleanup(c.kill)
	return c
}

func (c *child) waitFor(line string) {
	c.t.Helper()
	if !c.lines.Scan() || c.lines.Text() != line {
		c.t.Fatalf("the child says %q, want %q", c.lines.Text(), line)
	}
}

// signal sends SIGKILL; what the child had printed can still be read.
func (c *child) signal() { _ = c.cmd.Process.Kill() }

// kill ends the child, however far it is, and waits for it.
func (c *child) kill() {
	if !c.ended {
		c.ended = true
		c.signal()
		_ = c.cmd.Wait() // the error is that it was killed
	}
}

func hash(b []byte) [8]byte {
	sum := sha256.Sum256(b)
	return [8]byte(sum[:8])
}
