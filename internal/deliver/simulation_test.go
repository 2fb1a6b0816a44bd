package deliver_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/egress"
	"github.com/postrider/postrider/internal/store"
)

var (
	seeds     = flag.Int("seeds", worlds, "how many random worlds TestRandomWorldsLoseNothing runs")
	firstSeed = flag.Uint64("first-seed", 1, "the first of them; a failing seed replays exactly")
)

// TestRandomWorldsLoseNothing lets random worlds run for days of virtual time: receivers that flap, hang,
// refuse and ask for patience, a store that fails before and after its commits, restarts and crashes
// in mid-flight. Then all is healed, and every accepted event must have come to its end.
func TestRandomWorldsLoseNothing(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) { simulate(t, w, rand.New(rand.NewPCG(seed, 0))) })
		})
		if !ok {
			t.Fatalf("replay with: go test ./internal/deliver -run TestRandomWorldsLoseNothing -args -seeds 1 -first-seed %d", seed)
		}
	}
}

// simulation is one random world and what was done to it.
type simulation struct {
	*world
	t         *testing.T
	random    *rand.Rand
	endpoints []*postrider.Endpoint
	accepted  []postrider.EventID
	deleted   map[postrider.EndpointID]bool
	faulty    atomic.Bool // the store fails now and then
	healed    atomic.Bool

	mu     sync.Mutex // the store asks for faults from any goroutine
	faults int        // crashes and failed calls: each excuses repeats
	dice   *rand.Rand // decides them, apart from random
}

func simulate(t *testing.T, w *world, random *rand.Rand) {
	s := &simulation{world: w, t: t, random: random, deleted: make(map[postrider.EndpointID]bool),
		dice: rand.New(rand.NewPCG(random.Uint64(), 0))}
	w.options.LaneDepth = 4 + random.IntN(60)
	w.options.MaxSenders = 8 + random.IntN(100)
	w.options.MaxMemory = int64(20_000 + random.IntN(1_000_000))
	w.options.MaxUnsettled = 10 + random.IntN(300)
	names := w.contracts.Names()
	for range 1 + random.IntN(6) {
		s.endpoints = append(s.endpoints, w.endpoint(names[random.IntN(len(names))], s.moody(random.Uint64())))
	}
	w.store.FailWith(s.storeFault)
	w.start()
	for range 40 + random.IntN(80) {
		s.step()
	}
	s.heal()
	s.check()
}

// moody is a receiver whose mood lasts for some time and then changes.
func (s *simulation) moody(seed uint64) answer {
	moods := []answer{
		status(200), status(200), status(204), status(500), status(404), status(302), status(429), status(503), status(410),
		slow(30*time.Millisecond, 200), slow(2*time.Second, 200), slow(time.Hour, 200), slow(3*time.Second, 500),
		func(context.Context, int) egress.Result {
			return egress.Result{Failure: postrider.OutcomeRefused, Detail: "refused"}
		},
		func(context.Context, int) egress.Result {
			r := answered(503)
			r.RetryAfter = "600"
			return r
		},
	}
	return func(ctx context.Context, nth int) egress.Result {
		if s.healed.Load() {
			return answered(200)
		}
		hour := uint64(time.Now().Unix() / 3600)
		mood := rand.New(rand.NewPCG(seed, hour))
		if mood.IntN(3) == 0 { // an hour of mixed answers
			return moods[rand.New(rand.NewPCG(seed, uint64(nth))).IntN(len(moods))](ctx, nth)
		}
		return moods[mood.IntN(len(moods))](ctx, nth)
	}
}

func (s *simulation) storeFault(call string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.faulty.Load() || s.dice.IntN(4) != 0 {
		return nil
	}
	s.faults++
	return errors.New("a fault of the store during " + call)
}

func (s *simulation) countFault() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults++
}

// step is one thing that happens.
func (s *simulation) step() {
	switch roll := s.random.IntN(100); {
	case roll < 45:
		for n := range 1 + s.random.IntN(60) {
			receipt, err := s.ingester.Publish(context.Background(), s.publication(n))
			if err == nil {
				s.accepted = append(s.accepted, receipt.EventID)
			} else if !s.faulty.Load() {
				s.t.Fatal(err)
			}
		}
	case roll < 75:
		s.after(time.Duration(s.random.Int64N(int64(20 * time.Minute))))
	case roll < 80:
		s.after(time.Duration(s.random.Int64N(int64(5 * time.Hour))))
	case roll < 85:
		s.faulty.Store(!s.faulty.Load())
	case roll < 90:
		s.restart()
	case roll < 94:
		e := s.endpoints[s.random.IntN(len(s.endpoints))]
		state := []postrider.EndpointState{postrider.EndpointPaused, postrider.EndpointEnabled, postrider.EndpointDisabled}[s.random.IntN(3)]
		s.change(e, state)
	case roll < 96:
		e := s.endpoints[s.random.IntN(len(s.endpoints))]
		if !s.deleted[e.ID] {
			s.deleted[e.ID] = true
			s.remove(e)
		}
	case roll < 98:
		s.countFault()
		s.crash()
		s.startWithoutFaults()
	default:
		s.after(time.Millisecond)
	}
}

func (s *simulation) change(e *postrider.Endpoint, state postrider.EndpointState) {
	if !s.deleted[e.ID] {
		reason := postrider.DisabledByUser
		s.update(e, store.EndpointPatch{State: &state, DisabledReason: &reason})
	}
}

func (s *simulation) restart() {
	if err := s.stop(time.Duration(s.random.Int64N(int64(40 * time.Second)))); err != nil {
		s.countFault()
	}
	s.startWithoutFaults()
}

func (s *simulation) startWithoutFaults() {
	faulty := s.faulty.Swap(false)
	s.start()
	s.faulty.Store(faulty)
}

// heal ends all trouble and lets every schedule run out.
func (s *simulation) heal() {
	s.faulty.Store(false)
	s.healed.Store(true)
	for _, e := range s.endpoints {
		s.change(e, postrider.EndpointEnabled)
	}
	s.after(10 * 24 * time.Hour)
	synctest.Wait()
}

// check holds the world against what was promised.
func (s *simulation) check() {
	s.t.Helper()
	ctx := context.Background()
	attempted := make(map[string]int)
	for _, id := range s.accepted {
		event, err := s.store.FindEvent(ctx, s.tenant, "", id.String())
		if err != nil {
			s.t.Fatalf("an accepted event is not there: %v", err)
		}
		deliveries, err := s.store.EventDeliveries(ctx, s.tenant, id)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(deliveries) == 0 && len(event.Reasons) == 0 {
			s.t.Errorf("event %s has neither deliveries nor reasons", id)
		}
		for _, d := range deliveries {
			if !d.State.Final() {
				s.t.Errorf("delivery %s to %s is still %s, due %v, now %v", d.ID, d.Endpoint, d.State, d.DueAt, time.Now())
			}
			if d.State == postrider.DeliveryCancelled && !s.deleted[d.Endpoint] {
				s.t.Errorf("delivery %s was cancelled, but its endpoint was never deleted", d.ID)
			}
			attempted[d.Endpoint.UUID()+".example"] += s.checkAttempts(&d)
		}
	}
	for _, e := range s.endpoints {
		if got, settled := len(s.receivers.arrived(e)), attempted[host(e)]; got < settled || s.faults == 0 && got != settled {
			s.t.Errorf("%d requests arrived at %s, but %d attempts are recorded (%d faults)", got, host(e), settled, s.faults)
		}
		if most, limit := s.receivers.mostAtOnce(e), 16; most > limit*(1+s.faults) {
			s.t.Errorf("%d requests at the same time", most)
		}
	}
}

// checkAttempts holds a delivery's attempts against its contract and gives their number.
func (s *simulation) checkAttempts(d *postrider.Delivery) int {
	s.t.Helper()
	attempts, err := s.store.Attempts(context.Background(), s.tenant, d.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	endpoint, err := s.store.LaneEndpoint(context.Background(), d.Endpoint)
	if err != nil {
		s.t.Fatal(err)
	}
	c, _ := s.contracts.Find(endpoint.Contract)
	if len(attempts) > c.MaxAttempts() {
		s.t.Errorf("delivery %s had %d attempts, its contract %s has %d", d.ID, len(attempts), c.Name(), c.MaxAttempts())
	}
	for i, a := range attempts {
		last := i == len(attempts)-1
		if a.Number != i+1 {
			s.t.Errorf("delivery %s: attempt %d has number %d", d.ID, i+1, a.Number)
		}
		if a.Outcome.Kind == postrider.OutcomeSuccess && (!last || d.State == postrider.DeliveryFailed) {
			s.t.Errorf("delivery %s went on after it had succeeded", d.ID)
		}
		if i == 0 {
			continue
		}
		before := attempts[i-1]
		ended := before.StartedAt.Add(before.Duration).Truncate(time.Millisecond)
		earliest, _ := c.Next(before.Number, before.Outcome, d.Environment, ended, 0)
		if a.StartedAt.Before(earliest.Truncate(time.Millisecond)) {
			s.t.Errorf("delivery %s: attempt %d went %v before its time", d.ID, a.Number, earliest.Sub(a.StartedAt))
		}
	}
	return len(attempts)
}
