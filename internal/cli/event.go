package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/client"
)

func newEvent(t *Terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "event",
		Short: "Look at events and what became of them",
		Example: `  postrider event list --type order.created
  postrider event get evt_01h455vb4pex5vsknk084sn02q`,
	}
	r := newRemote(t, c)
	return group(c, newEventList(r), newEventGet(r), newEventSend(r), newEventReplay(r))
}

func newEventList(r *remote) *cobra.Command {
	var p page
	var filter client.EventFilter
	c := &cobra.Command{
		Use:     "list",
		Short:   "List events, the newest first",
		Example: "  postrider event list --type order.created --limit 10",
		Args:    arguments(cobra.NoArgs),
	}
	p.register(c)
	c.Flags().StringVar(&filter.Type, "type", "", "only those of this `topic`")
	c.Flags().StringVar(&filter.Environment, "environment", "", "only those of this `environment`")
	c.RunE = func(c *cobra.Command, _ []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		filter.Page = p.page()
		list, err := server.Events(c.Context(), filter)
		if err != nil {
			return err
		}
		defer r.more(list.Next)
		return r.show(list, func() {
			now := time.Now()
			rows := newTable(r.t.Out, "ID", "TYPE", "ENVIRONMENT", "ACCEPTED", "WITHOUT DELIVERY BECAUSE")
			for _, e := range list.Data {
				rows.row(e.ID, e.Type, e.Environment, relative(e.AcceptedAt, now), reasons(e.Reasons))
			}
			_ = rows.flush()
		})
	}
	return c
}

func reasons(all []api.Reason) string {
	switch {
	case len(all) == 0:
		return ""
	case len(all) == 1:
		return all[0].Code
	}
	return fmt.Sprintf("%s and %d more", all[0].Code, len(all)-1)
}

func newEventGet(r *remote) *cobra.Command {
	var environment string
	c := &cobra.Command{
		Use:     "get ID",
		Short:   "Show an event with its data, its deliveries, and why there are none",
		Example: "  postrider event get evt_01h455vb4pex5vsknk084sn02q",
		Args:    arguments(cobra.ExactArgs(1)),
	}
	c.Flags().StringVar(&environment, "environment", "", "`environment`, where two events were given the same id")
	c.RunE = func(c *cobra.Command, args []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		e, err := server.Event(c.Context(), args[0], environment)
		if err != nil {
			return err
		}
		return r.show(e, func() { printEvent(r.t, e) })
	}
	return c
}

func printEvent(t *Terminal, e *api.Event) {
	now := time.Now()
	f := newFacts(t.Out)
	f.add("id", e.ID)
	f.add("type", e.Type)
	f.add("tenant", e.Tenant)
	f.add("environment", e.Environment)
	f.add("occurred", moment(e.OccurredAt, now))
	f.add("accepted", moment(e.AcceptedAt, now))
	f.add("data", string(e.Data))
	f.add("previous data", string(e.PreviousData))
	for _, reason := range e.Reasons {
		text := reason.Code
		if reason.WebhookID != "" {
			text += " " + reason.WebhookID
		}
		f.add("not delivered", text)
	}
	_ = f.flush()
	if len(e.Deliveries) > 0 {
		fmt.Fprintln(t.Out)
		printDeliveries(t, e.Deliveries)
	}
}
