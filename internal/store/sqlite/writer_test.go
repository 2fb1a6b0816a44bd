package sqlite

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/postrider/postrider"
	"modernc.org/sqlite"
)

// TestARequestThatCannotBeWrittenFailsAlone puts requests into one group by holding the writer, one
// of them with an event that is there already.
func TestARequestThatCannotBeWrittenFailsAlone(t *testing.T) {
	l := openBench(t, t.TempDir())
	first := l.acceptances(1, 1, noKeys)
	if _, err := l.store.Accept(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	release := holdWriter(t, l.store)
	var group sync.WaitGroup
	errs := make([]error, 10)
	sequences := make([]int64, len(errs))
	for i := range errs {
		batch := l.acceptances(3, 1, growingKeys)
		if i == 5 {
			batch[1].Event.ID = first[0].Event.ID
		}
		group.Go(func() {
			_, errs[i] = l.store.Accept(context.Background(), batch)
			sequences[i] = batch[2].Event.Sequence
		})
	}
	waitForQueue(l.store, len(errs))
	release()
	group.Wait()
	for i, err := range errs {
		if (err != nil) != (i == 5) || (sequences[i] == 0) != (i == 5) {
			t.Errorf("batch %d: %v, sequence %d", i, err, sequences[i])
		}
	}
	if err := countEvents(t.Context(), l, 1+9*3); err != nil {
		t.Error(err)
	}
}

// TestWhatWaitsSharesACommit counts commits.
func TestWhatWaitsSharesACommit(t *testing.T) {
	l := openBench(t, t.TempDir())
	settled := l.acceptances(5, 1, noKeys)
	if _, err := l.store.Accept(t.Context(), settled); err != nil {
		t.Fatal(err)
	}
	var commits atomic.Int64
	err := l.store.writer.change(t.Context(), func(c *connection) error {
		c.Conn.(sqlite.HookRegisterer).RegisterCommitHook(func() int32 { commits.Add(1); return 0 })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	release := holdWriter(t, l.store)
	commits.Store(0)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if _, err := l.store.Accept(context.Background(), l.acceptances(1, 1, noKeys)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Go(func() {
		if err := l.store.Settle(context.Background(), l.settlements(settled)); err != nil {
			t.Error(err)
		}
	})
	waitForQueue(l.store, 21)
	release()
	group.Wait()
	// One is that of the request that held the writer.
	if n := commits.Load(); n != 2 {
		t.Errorf("%d commits, want 1 for the 21 requests that waited together and 1 before it", n)
	}
}

// TestAGivenUpRequestIsNotWritten withdraws a request that waits.
func TestAGivenUpRequestIsNotWritten(t *testing.T) {
	l := openBench(t, t.TempDir())
	release := holdWriter(t, l.store)
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error)
	go func() {
		_, err := l.store.Accept(ctx, l.acceptances(1, 1, noKeys))
		answered <- err
	}()
	waitForQueue(l.store, 1)
	cancel()
	err := <-answered
	wantError(t, err, postrider.CodeUnavailable)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v does not wrap the context's error", err)
	}
	release()
	if _, err := l.store.Accept(t.Context(), l.acceptances(1, 1, noKeys)); err != nil {
		t.Fatal(err)
	}
	if err := countEvents(t.Context(), l, 1); err != nil {
		t.Error(err)
	}
}

// holdWriter keeps the writer busy until release is called.
func holdWriter(t *testing.T, s *Store) (release func()) {
	held, let := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		_ = s.writer.change(context.Background(), func(*connection) error {
			close(held)
			<-let
			return nil
		})
	})
	<-held
	release = sync.OnceFunc(func() { close(let); group.Wait() })
	t.Cleanup(release)
	return release
}

// waitForQueue waits until n requests wait.
func waitForQueue(s *Store, n int) {
	for {
		s.writer.mu.Lock()
		waiting := len(s.writer.queue)
		s.writer.mu.Unlock()
		if waiting >= n {
			return
		}
		runtime.Gosched()
	}
}
