package server

import (
	"context"
	"errors"
	"fmt"
)

// teardowns are what must be undone, the last made first.
type teardowns struct{ steps []teardown }

type teardown struct {
	name string
	undo func(context.Context) error
}

// on registers how to undo what was just made. name completes "could not ...".
func (t *teardowns) on(name string, undo func(context.Context) error) {
	t.steps = append(t.steps, teardown{name, undo})
}

// run undoes everything once, whatever fails on the way, and joins the failures. ctx bounds those
// steps that wait for others.
func (t *teardowns) run(ctx context.Context) error {
	var failures []error
	for i := len(t.steps) - 1; i >= 0; i-- {
		if err := t.steps[i].undo(ctx); err != nil {
			failures = append(failures, fmt.Errorf("could not %s: %w", t.steps[i].name, err))
		}
	}
	t.steps = nil
	return errors.Join(failures...)
}
