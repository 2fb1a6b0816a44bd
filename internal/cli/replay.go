package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/api"
)

func newEndpointReplay(r *remote) *cobra.Command {
	var in api.ReplayRequest
	var from, to string
	c := &cobra.Command{
		Use:   "replay ID",
		Short: "Deliver old events again to an endpoint, those too that it never had",
		Long: `Deliver old events again to an endpoint, those too that it never had. Without flags: every event of its
environment that it takes. An event that it is still owed is passed over, so that the command can be repeated.`,
		Example: `  postrider endpoint replay wh_01h455vb4pex5vsknk084sn02q --state failed --from 2026-02-18 --dry-run
  postrider endpoint replay wh_01h455vb4pex5vsknk084sn02q --state none --type 'order.*'`,
		Args: arguments(cobra.ExactArgs(1)),
	}
	flags := c.Flags()
	flags.StringVar(&from, "from", "", "only events accepted at or after this `time`, such as 2026-02-18T10:30:00Z or 2026-02-18")
	flags.StringVar(&to, "to", "", "only events accepted before this `time`")
	flags.StringVar(&in.Type, "type", "", "only events of this `topic`, which may be a pattern such as order.*")
	flags.StringVar(&in.State, "state", "", "only events whose latest delivery to it is in this `state`: succeeded, failed, cancelled, or none")
	flags.BoolVar(&in.DryRun, "dry-run", false, "count only, and deliver nothing")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if in.From, err = flagTime("from", from); err != nil {
			return err
		}
		if in.To, err = flagTime("to", to); err != nil {
			return err
		}
		server, err := r.client()
		if err != nil {
			return err
		}
		total := &api.ReplayResult{DryRun: in.DryRun}
		for {
			step, err := server.ReplayWebhook(c.Context(), args[0], in)
			if err != nil {
				return err
			}
			total.Matched, total.Pending, total.Made = total.Matched+step.Matched, total.Pending+step.Pending, total.Made+step.Made
			if step.Next == nil {
				break
			}
			in.Cursor = *step.Next
		}
		return r.show(total, func() {
			if in.DryRun {
				fmt.Fprintf(r.t.Out, "%s would be delivered again.", plural(total.Matched, "event"))
			} else {
				fmt.Fprintf(r.t.Out, "%s made.", plural(total.Made, "new delivery"))
			}
			if total.Pending > 0 {
				fmt.Fprintf(r.t.Out, " %s still owed to it, and passed over.", plural(total.Pending, "event"))
			}
			fmt.Fprintln(r.t.Out)
		})
	}
	return c
}

// flagTime reads a time or a day (its midnight in UTC), nil when none was given.
func flagTime(name, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return &at, nil
		}
	}
	return nil, badUsagef("--%s %q is not a time; one looks like 2026-02-18T10:30:00Z or 2026-02-18", name, text)
}

func newEventReplay(r *remote) *cobra.Command {
	var endpoint string
	c := &cobra.Command{
		Use:     "replay ID",
		Short:   "Deliver an event again, to every endpoint that takes it now or to one",
		Example: "  postrider event replay evt_01h455vb4pex5vsknk084sn02q --endpoint wh_01h455vb4pex5vsknk084sn02q",
		Args:    arguments(cobra.ExactArgs(1)),
	}
	c.Flags().StringVar(&endpoint, "endpoint", "", "only to the endpoint of this `id`, whatever topics it takes")
	c.RunE = func(c *cobra.Command, args []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		made, err := server.ReplayEvent(c.Context(), args[0], endpoint)
		if err != nil {
			return err
		}
		return r.show(made, func() {
			if len(made.Data) == 0 {
				fmt.Fprintln(r.t.Out, "No endpoint takes it that is not still owed it.")
				return
			}
			printDeliveries(r.t, made.Data)
		})
	}
	return c
}

func newDeliveryReplay(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:     "replay ID",
		Short:   "Deliver the same event again to the same endpoint, also when it has succeeded",
		Example: "  postrider delivery replay dlv_01h455vb4pex5vsknk084sn02q_1",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := r.client()
			if err != nil {
				return err
			}
			made, err := server.ReplayDelivery(c.Context(), args[0])
			if err != nil {
				return err
			}
			return r.show(made, func() { printDelivery(r.t, *made) })
		},
	}
}

func newEndpointRotate(r *remote) *cobra.Command {
	var in api.RotateSecret
	c := &cobra.Command{
		Use:   "rotate-secret ID",
		Short: "Give an endpoint a new signing secret, beside the old one for a while",
		Long: `Give an endpoint a new signing secret, beside the old one for a while. Give the new one to the receiver, then
activate it. Until then headers that carry a list of signatures have one by each, the others one by the old.`,
		Example: "  postrider endpoint rotate-secret wh_01h455vb4pex5vsknk084sn02q --overlap 48h",
		Args:    arguments(cobra.ExactArgs(1)),
	}
	c.Flags().StringVar(&in.Secret, "secret", "", "the new `secret`; without it, one is made and shown once")
	c.Flags().StringVar(&in.Overlap, "overlap", "", "`duration` for which the old one stays known, at most 720h; 0s ends it at once (default 24h)")
	c.RunE = func(c *cobra.Command, args []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		w, err := server.RotateSecret(c.Context(), args[0], in)
		if err != nil {
			return err
		}
		return r.show(w, func() {
			printEndpoint(r.t, w)
			printSecret(r.t, w.Secret)
		})
	}
	return c
}

func printSecret(t *Terminal, secret string) {
	if secret != "" {
		fmt.Fprintf(t.Out, "\nThe signing secret, shown only this once:\n\n    %s\n", secret)
	}
}
