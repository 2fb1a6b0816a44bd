package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/client"
)

func newDelivery(t *Terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "delivery",
		Short: "Look at deliveries and their attempts, try one again",
		Example: `  postrider delivery list --state failed
  postrider delivery get dlv_01h455vb4pex5vsknk084sn02q_1
  postrider delivery retry dlv_01h455vb4pex5vsknk084sn02q_1`,
	}
	r := newRemote(t, c)
	return group(c, newDeliveryList(r), newDeliveryGet(r), newDeliveryRetry(r), newDeliveryReplay(r))
}

func newDeliveryList(r *remote) *cobra.Command {
	var p page
	var filter client.DeliveryFilter
	c := &cobra.Command{
		Use:     "list",
		Short:   "List deliveries, the newest event's first",
		Example: "  postrider delivery list --state pending --endpoint wh_01h455vb4pex5vsknk084sn02q",
		Args:    arguments(cobra.NoArgs),
	}
	p.register(c)
	c.Flags().StringVar(&filter.State, "state", "", "only those in this `state`: pending, succeeded, failed or cancelled")
	c.Flags().StringVar(&filter.EventID, "event", "", "only those of the event of this `id`")
	c.Flags().StringVar(&filter.WebhookID, "endpoint", "", "only those to the endpoint of this `id`")
	c.Flags().StringVar(&filter.Type, "type", "", "only those of events of this `topic`")
	c.Flags().StringVar(&filter.Environment, "environment", "", "only those of this `environment`")
	c.RunE = func(c *cobra.Command, _ []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		filter.Page = p.page()
		list, err := server.Deliveries(c.Context(), filter)
		if err != nil {
			return err
		}
		defer r.more(list.Next)
		return r.show(list, func() { printDeliveries(r.t, list.Data) })
	}
	return c
}

func printDeliveries(t *Terminal, deliveries []api.Delivery) {
	now := time.Now()
	rows := newTable(t.Out, "ID", "TYPE", "STATE", "ATTEMPTS", "ENDPOINT", "CREATED", "NEXT ATTEMPT")
	for _, d := range deliveries {
		next := ""
		if d.NextAttemptAt != nil {
			next = "now"
			if d.NextAttemptAt.After(now) {
				next = relative(*d.NextAttemptAt, now)
			}
		}
		rows.row(d.ID, d.Type, stateOf(d), fmt.Sprint(d.Attempts), d.WebhookID, relative(d.CreatedAt, now), next)
	}
	_ = rows.flush()
}

func stateOf(d api.Delivery) string {
	if d.Reason != "" {
		return d.State + " (" + d.Reason + ")"
	}
	return d.State
}

func newDeliveryGet(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:     "get ID",
		Short:   "Show a delivery with all its attempts",
		Example: "  postrider delivery get dlv_01h455vb4pex5vsknk084sn02q_1",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := r.client()
			if err != nil {
				return err
			}
			d, err := server.Delivery(c.Context(), args[0])
			if err != nil {
				return err
			}
			return r.show(d, func() {
				printDelivery(r.t, d.Delivery)
				if len(d.Attempts) > 0 {
					fmt.Fprintln(r.t.Out)
					printAttempts(r.t, d.Attempts...)
				}
			})
		},
	}
}

func newDeliveryRetry(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:     "retry ID",
		Short:   "Make a delivery that has not succeeded due at once",
		Example: "  postrider delivery retry dlv_01h455vb4pex5vsknk084sn02q_1",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := r.client()
			if err != nil {
				return err
			}
			d, err := server.RetryDelivery(c.Context(), args[0])
			if err != nil {
				return err
			}
			return r.show(d, func() { printDelivery(r.t, *d) })
		},
	}
}

func printDelivery(t *Terminal, d api.Delivery) {
	now := time.Now()
	f := newFacts(t.Out)
	f.add("id", d.ID)
	f.add("event", d.EventID)
	f.add("type", d.Type)
	f.add("endpoint", d.WebhookID)
	f.add("environment", d.Environment)
	f.add("state", stateOf(d))
	f.add("created", moment(d.CreatedAt, now))
	if d.NextAttemptAt != nil {
		f.add("next attempt", moment(*d.NextAttemptAt, now))
	}
	if d.EndedAt != nil {
		f.add("ended", moment(*d.EndedAt, now))
	}
	_ = f.flush()
}

func printAttempts(t *Terminal, attempts ...api.Attempt) {
	rows := newTable(t.Out, "ATTEMPT", "STARTED", "TOOK", "OUTCOME", "STATUS", "WHAT HAPPENED")
	for _, a := range attempts {
		status := ""
		if a.Response != nil && a.Response.Status != 0 {
			status = fmt.Sprint(a.Response.Status)
		}
		rows.row(fmt.Sprint(a.Number), a.StartedAt.UTC().Format("2006-01-02 15:04:05.000Z"),
			fmt.Sprintf("%.1f ms", a.DurationMS), a.Outcome, status, described(a))
	}
	_ = rows.flush()
}

// described says what came of an attempt, in its own words when it has some.
func described(a api.Attempt) string {
	if a.Detail != "" {
		return a.Detail
	}
	return strings.ReplaceAll(a.Code, "_", " ")
}
