package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
)

// sendOptions are the flags of `send`.
type sendOptions struct {
	event          api.EventCreate
	data, previous string
	occurred       string
	key            string
	batch          int
}

func newSend(t *Terminal) *cobra.Command {
	c := &cobra.Command{Example: `  postrider send --type order.created --data '{"object": {"id": 17}}'
  postrider send --type user.updated --data @user.json --previous-data '{"name": "Old"}' --id user-5-v2
  postrider send <events.ndjson`}
	r := newRemote(t, c)
	return sendCommand(c, r)
}

func newEventSend(r *remote) *cobra.Command {
	return sendCommand(&cobra.Command{Example: `  postrider event send --type order.created --data '{"object": {"id": 17}}'`}, r)
}

func sendCommand(c *cobra.Command, r *remote) *cobra.Command {
	var o sendOptions
	c.Use = "send"
	c.Short = "Publish one event, or many from standard input"
	c.Long = `Publish one event, or many from standard input.

With --type, one event is published; --data is JSON, @file, or - for standard input.
Without --type, standard input holds events as lines of JSON, {"type": …, "data": …}, and goes out in
batches, in order. A line that is refused is named on standard error and does not stop the others.
Ends with 0 when every event was accepted: then all of them are kept, whatever happens next.`
	c.Args = arguments(cobra.NoArgs)
	flags := c.Flags()
	flags.StringVar(&o.event.Type, "type", "", "`topic` of the event")
	flags.StringVar(&o.data, "data", "", "`JSON` data of the event; @file or - reads it")
	flags.StringVar(&o.previous, "previous-data", "", "`JSON` of the values before an update; @file reads it")
	flags.StringVar(&o.event.ID, "id", "", "your own `id` of the event; the same id again is not published twice")
	flags.StringVar(&o.key, "idempotency-key", "", "`text` under which the same event is not published twice")
	flags.StringVar(&o.occurred, "occurred-at", "", "`time` when it happened, RFC 3339 (default: now)")
	flags.StringVar(&o.event.Environment, "environment", "", "`environment`, production or sandbox (default: the key's)")
	flags.IntVar(&o.batch, "batch", 100, "`number` of events of standard input that go out together, up to 1000")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if o.event.Type == "" {
			return sendLines(c.Context(), r, o)
		}
		return sendOne(c.Context(), r, o)
	}
	return c
}

func sendOne(ctx context.Context, r *remote, o sendOptions) error {
	var err error
	if o.data == "" {
		return badUsagef("the event has no data; use --data with JSON, @file or -")
	}
	if o.event.Data, err = readJSON(r.t, "--data", o.data); err != nil {
		return err
	}
	if o.previous != "" {
		if o.event.PreviousData, err = readJSON(r.t, "--previous-data", o.previous); err != nil {
			return err
		}
	}
	if o.occurred != "" {
		at, err := time.Parse(time.RFC3339, o.occurred)
		if err != nil {
			return badUsagef("--occurred-at: %q is not a time of RFC 3339, such as 2026-02-18T10:30:00Z", o.occurred)
		}
		o.event.OccurredAt = &at
	}
	server, err := r.client()
	if err != nil {
		return err
	}
	accepted, err := server.PublishWithKey(ctx, o.event, o.key)
	if err != nil {
		return err
	}
	return r.show(accepted, func() {
		text := plural(accepted.Deliveries, "delivery")
		if accepted.Deliveries == 0 {
			text = "no endpoint gets it: see 'postrider event get " + accepted.ID + "'"
		}
		if accepted.Replayed {
			text += " (accepted before)"
		}
		fmt.Fprintf(r.t.Out, "%s  %s  %s\n", accepted.ID, accepted.Type, text)
	})
}

// readJSON gives the JSON that a flag's value is or names.
func readJSON(t *Terminal, flag, value string) (json.RawMessage, error) {
	text := []byte(value)
	var err error
	if path, named := strings.CutPrefix(value, "@"); named {
		text, err = readFile(path)
	} else if value == "-" {
		text, err = readBounded(t.In, "standard input")
	}
	if err != nil {
		return nil, err
	}
	text = bytes.TrimSpace(text)
	if !json.Valid(text) {
		return nil, postrider.Errorf(postrider.CodeInvalid, "%s: this is not JSON: %s", flag, shorten(string(text)))
	}
	return text, nil
}

func shorten(text string) string {
	const most = 60
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return oneLine(text)
}
