package auth

import (
	"sync"
	"time"
)

// memory keeps what was found for a short while, in bounded room. It is safe for concurrent use.
type memory[K comparable, V any] struct {
	life time.Duration
	size int

	mu      sync.RWMutex // guards what follows; never held over a query
	found   map[K]remembered[V]
	forgets uint64 // counts forget, so that a query that began before it cannot bring a value back
}

type remembered[V any] struct {
	value V
	until time.Time
}

func newMemory[K comparable, V any](life time.Duration, size int) *memory[K, V] {
	return &memory[K, V]{life: life, size: size, found: make(map[K]remembered[V])}
}

// recall gives what is remembered at now. ticket is for remember, when it was nothing.
func (m *memory[K, V]) recall(key K, now time.Time) (value V, found bool, ticket uint64) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	hit, found := m.found[key]
	if found && now.Before(hit.until) {
		return hit.value, true, m.forgets
	}
	return value, false, m.forgets
}

// remember keeps a value for the memory's life, and not after end unless that is zero. A value that
// was asked for before the last forget is not kept.
func (m *memory[K, V]) remember(key K, value V, now, end time.Time, ticket uint64) {
	until := now.Add(m.life)
	if !end.IsZero() && end.Before(until) {
		until = end
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.forgets != ticket {
		return
	}
	if len(m.found) >= m.size {
		for key, old := range m.found {
			if !now.Before(old.until) {
				delete(m.found, key)
			}
		}
		if len(m.found) >= m.size {
			clear(m.found) // more in use than room: begin again rather than search for the oldest
		}
	}
	m.found[key] = remembered[V]{value, until}
}

// forget drops everything.
func (m *memory[K, V]) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgets++
	clear(m.found)
}
