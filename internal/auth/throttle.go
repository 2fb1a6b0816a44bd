package auth

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"github.com/postrider/postrider"
)

// The throttle's bounds: so many failures at once, and then one more in every interval.
const (
	nameFailures    = 10
	nameInterval    = 30 * time.Second
	addressFailures = 100
	addressInterval = time.Second
)

// Throttle counts failed logins by name and by address, and says when there were too many. What it
// counts decays with time. Its memory is fixed, about 1 MiB: names and addresses share cells by a
// keyed hash, two each, of which the lower counts, so that nobody is refused for another's failures
// unless both of its cells are another's too. It is safe for concurrent use.
type Throttle struct {
	seeds [2]maphash.Seed // secret, so that nobody can choose whose cells it shares

	mu    sync.Mutex // guards rows
	rows  [2][]cell
	began time.Time // what cells count their time from
}

// cell is a count at a time.
type cell struct {
	failures float64
	at       time.Duration // since began
}

const cellsOfRow = 1 << 15

// NewThrottle makes a Throttle. now is where its time begins.
func NewThrottle(now time.Time) *Throttle {
	t := &Throttle{began: now}
	for i := range t.rows {
		t.seeds[i] = maphash.MakeSeed()
		t.rows[i] = make([]cell, cellsOfRow)
	}
	return t
}

// Check reports nil when a login of this name from this address may be tried; the zero address is
// not judged. The error is of CodeRateLimited and says when to come again. It counts nothing.
func (t *Throttle) Check(login string, from netip.Addr, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.check(login, from, now)
}

// Admit is Check, and counts the try as failed until Succeeded says otherwise: tries at the same time
// get no further than one after another.
func (t *Throttle) Admit(login string, from netip.Addr, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.check(login, from, now); err != nil {
		return err
	}
	t.add(nameKey(login), nameInterval, 1, now)
	if from.IsValid() {
		t.add(addressKey(from), addressInterval, 1, now)
	}
	return nil
}

func (t *Throttle) check(login string, from netip.Addr, now time.Time) error {
	wait := t.wait(nameKey(login), nameFailures, nameInterval, now)
	if from.IsValid() {
		wait = max(wait, t.wait(addressKey(from), addressFailures, addressInterval, now))
	}
	if wait <= 0 {
		return nil
	}
	wait = wait.Truncate(time.Second) + time.Second
	return &postrider.Error{Code: postrider.CodeRateLimited, RetryAfter: wait,
		Message: "too many failed logins; try again in " + wait.String()}
}

// Succeeded forgets the failures of the name: whoever knows the password is not guessing. Those of
// the address stay but for this try, else an account of one's own would be a licence to try others.
func (t *Throttle) Succeeded(login string, from netip.Addr, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if from.IsValid() {
		t.add(addressKey(from), addressInterval, -1, now)
	}
	for _, c := range t.cells(nameKey(login)) {
		*c = cell{}
	}
}

// wait is how long it takes until one more failure fits under the limit.
func (t *Throttle) wait(key string, limit float64, interval time.Duration, now time.Time) time.Duration {
	least := limit
	for i, c := range t.cells(key) {
		if count := t.decayed(*c, interval, now); i == 0 || count < least {
			least = count
		}
	}
	return time.Duration((least + 1 - limit) * float64(interval))
}

func (t *Throttle) add(key string, interval time.Duration, failures float64, now time.Time) {
	for _, c := range t.cells(key) {
		*c = cell{failures: max(0, t.decayed(*c, interval, now)+failures), at: now.Sub(t.began)}
	}
}

// decayed is a cell's count as it is at now: one less for every interval.
func (t *Throttle) decayed(c cell, interval time.Duration, now time.Time) float64 {
	passed := max(0, now.Sub(t.began)-c.at)
	return max(0, c.failures-float64(passed)/float64(interval))
}

func (t *Throttle) cells(key string) [2]*cell {
	var found [2]*cell
	for i := range found {
		found[i] = &t.rows[i][maphash.String(t.seeds[i], key)%cellsOfRow]
	}
	return found
}

func nameKey(login string) string { return "name " + login }

// addressKey takes a whole /64 of IPv6 for one address, since that is what one customer is given.
func addressKey(from netip.Addr) string {
	from = from.Unmap().WithZone("")
	if from.Is6() {
		if prefix, err := from.Prefix(64); err == nil {
			from = prefix.Addr()
		}
	}
	return "address " + from.String()
}
