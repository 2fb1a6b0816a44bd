package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/client"
)

func newEndpoint(t *Terminal) *cobra.Command {
	c := &cobra.Command{
		Use:     "endpoint",
		Aliases: []string{"webhook"},
		Short:   "Manage endpoints: where events go, and in which contract",
		Example: `  postrider endpoint create https://example.com/webhooks --events 'order.*,user.created'
  postrider endpoint list
  postrider endpoint test wh_01h455vb4pex5vsknk084sn02q`,
	}
	r := newRemote(t, c)
	return group(c, newEndpointList(r), newEndpointGet(r), newEndpointCreate(r), newEndpointUpdate(r), newEndpointDelete(r), newEndpointTest(r),
		newEndpointReplay(r), newEndpointRotate(r),
		newEndpointMove(r, "activate-secret", "Let only the new signing secret of a rotation sign", (*client.Client).ActivateSecret),
		newEndpointMove(r, "pause", "Let an endpoint's deliveries be made and wait", (*client.Client).PauseWebhook),
		newEndpointMove(r, "resume", "Let a paused or disabled endpoint go again, with the deliveries that waited", (*client.Client).ResumeWebhook))
}

func newEndpointList(r *remote) *cobra.Command {
	var p page
	var filter client.WebhookFilter
	c := &cobra.Command{
		Use:     "list",
		Short:   "List endpoints, the oldest first",
		Example: "  postrider endpoint list --contract xemelgo",
		Args:    arguments(cobra.NoArgs),
	}
	p.register(c)
	c.Flags().StringVar(&filter.Contract, "contract", "", "only those of the contract of this `name`")
	c.Flags().StringVar(&filter.Status, "status", "", "only those in this `status`: enabled, paused or disabled")
	c.Flags().StringVar(&filter.Type, "type", "", "only those that get events of this `topic`")
	c.Flags().StringVar(&filter.Environment, "environment", "", "only those of this `environment`")
	c.RunE = func(c *cobra.Command, _ []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		filter.Page = p.page()
		list, err := server.Webhooks(c.Context(), filter)
		if err != nil {
			return err
		}
		defer r.more(list.Next)
		return r.show(list, func() {
			rows := newTable(r.t.Out, "ID", "STATUS", "CONTRACT", "ENVIRONMENT", "EVENTS", "URL")
			for _, w := range list.Data {
				rows.row(w.ID, w.Status, w.Contract, w.Environment, strings.Join(w.Events, ","), w.URL)
			}
			_ = rows.flush()
		})
	}
	return c
}

func newEndpointGet(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:     "get ID",
		Short:   "Show an endpoint",
		Example: "  postrider endpoint get wh_01h455vb4pex5vsknk084sn02q",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := r.client()
			if err != nil {
				return err
			}
			w, err := server.Webhook(c.Context(), args[0])
			if err != nil {
				return err
			}
			return r.show(w, func() { printEndpoint(r.t, w) })
		},
	}
}

func newEndpointCreate(r *remote) *cobra.Command {
	var in api.WebhookCreate
	c := &cobra.Command{
		Use:   "create URL",
		Short: "Register an endpoint",
		Example: `  postrider endpoint create https://example.com/webhooks --events '*'
  postrider endpoint create https://example.com/hooks --events inventory.cycle_count --contract xemelgo --secret "$SECRET"`,
		Args: arguments(cobra.ExactArgs(1)),
	}
	flags := c.Flags()
	flags.StringSliceVar(&in.Events, "events", nil, "`topics` that it gets, with commas between them; order.* and * take in many")
	flags.StringVar(&in.Contract, "contract", "", "`name` of the contract (default generic)")
	flags.StringVar(&in.Secret, "secret", "", "signing `secret`; without one, most contracts make one, shown once")
	flags.StringVar(&in.Environment, "environment", "", "`environment`, production or sandbox (default: the key's)")
	flags.StringVar(&in.Description, "description", "", "`text` as a note for people")
	flags.IntVar(&in.MaxInFlight, "max-in-flight", 0, "`number` of requests at the same time (default: the contract's or the server's)")
	flags.Float64Var(&in.RateLimit, "rate-limit", 0, "`number` of requests a second (default: no limit)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(in.Events) == 0 {
			return badUsagef("no events are named; use --events, such as --events 'order.*' or --events '*'")
		}
		server, err := r.client()
		if err != nil {
			return err
		}
		in.URL = args[0]
		w, err := server.RegisterWebhook(c.Context(), in)
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

func newEndpointUpdate(r *remote) *cobra.Command {
	var url, contract, secret, description, status string
	var events []string
	var inFlight int
	var rate float64
	c := &cobra.Command{
		Use:   "update ID",
		Short: "Change an endpoint; what is not named stays",
		Example: `  postrider endpoint update wh_01h455vb4pex5vsknk084sn02q --events user.created,user.updated
  postrider endpoint update wh_01h455vb4pex5vsknk084sn02q --status disabled`,
		Args: arguments(cobra.ExactArgs(1)),
	}
	flags := c.Flags()
	flags.StringVar(&url, "endpoint", "", "`URL` that events go to")
	flags.StringSliceVar(&events, "events", nil, "`topics` that it gets, in place of all it got")
	flags.StringVar(&contract, "contract", "", "`name` of the contract")
	flags.StringVar(&secret, "secret", "", "signing `secret`, in place of the one in force, at once")
	flags.StringVar(&description, "description", "", "`text` as a note for people")
	flags.StringVar(&status, "status", "", "`status`, enabled, paused or disabled")
	flags.IntVar(&inFlight, "max-in-flight", 0, "`number` of requests at the same time")
	flags.Float64Var(&rate, "rate-limit", 0, "`number` of requests a second; 0 for no limit")
	c.RunE = func(c *cobra.Command, args []string) error {
		set := func(name string) bool { return c.Flags().Changed(name) }
		in := api.WebhookUpdate{
			URL: chosen(set("endpoint"), url), Events: chosen(set("events"), events), Contract: chosen(set("contract"), contract),
			Secret: chosen(set("secret"), secret), Description: chosen(set("description"), description), Status: chosen(set("status"), status),
			MaxInFlight: chosen(set("max-in-flight"), inFlight), RateLimit: chosen(set("rate-limit"), rate),
		}
		if in == (api.WebhookUpdate{}) {
			return badUsagef("nothing to change is named")
		}
		server, err := r.client()
		if err != nil {
			return err
		}
		w, err := server.UpdateWebhook(c.Context(), args[0], in)
		if err != nil {
			return err
		}
		return r.show(w, func() { printEndpoint(r.t, w) })
	}
	return c
}

// chosen is nil for a flag that was not given, so that "" and 0 can be told from nothing.
func chosen[T any](given bool, value T) *T {
	if !given {
		return nil
	}
	return &value
}

func newEndpointDelete(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:     "delete ID",
		Short:   "Unregister an endpoint; what it was still owed is cancelled",
		Example: "  postrider endpoint delete wh_01h455vb4pex5vsknk084sn02q",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := r.client()
			if err != nil {
				return err
			}
			if err := server.DeleteWebhook(c.Context(), args[0]); err != nil {
				return err
			}
			if !r.json {
				fmt.Fprintf(r.t.Out, "%s is deleted.\n", args[0])
			}
			return nil
		},
	}
}

func newEndpointTest(r *remote) *cobra.Command {
	var topic string
	c := &cobra.Command{
		Use:   "test ID",
		Short: "Send an endpoint a test event at once, and show what came back",
		Long: `Send an endpoint a test event at once, signed and shaped as a real one, and show what came back.
Ends with 1 when the endpoint did not take it.`,
		Example: "  postrider endpoint test wh_01h455vb4pex5vsknk084sn02q --type resource.created",
		Args:    arguments(cobra.ExactArgs(1)),
	}
	c.Flags().StringVar(&topic, "type", "", "`topic` of the test event (default: the first that the endpoint gets)")
	c.RunE = func(c *cobra.Command, args []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		result, err := server.TestWebhook(c.Context(), args[0], topic)
		if err != nil {
			return err
		}
		return r.tested(result)
	}
	return c
}

// tested shows what became of a test event; it is an error when the endpoint did not take it.
func (r *remote) tested(result *api.TestResult) error {
	if err := r.show(result, func() { printAttempts(r.t, result.Attempt) }); err != nil {
		return err
	}
	if !result.Delivered {
		return fmt.Errorf("the endpoint did not take the test event: %s", described(result.Attempt))
	}
	return nil
}

func newEndpointMove(r *remote, verb, short string, move func(*client.Client, context.Context, string) (*api.Webhook, error)) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " ID",
		Short:   short,
		Example: "  postrider endpoint " + verb + " wh_01h455vb4pex5vsknk084sn02q",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := r.client()
			if err != nil {
				return err
			}
			w, err := move(server, c.Context(), args[0])
			if err != nil {
				return err
			}
			return r.show(w, func() { printEndpoint(r.t, w) })
		},
	}
}

func printEndpoint(t *Terminal, w *api.Webhook) {
	now := time.Now()
	status := w.Status
	if w.DisabledReason != "" {
		status += " (" + w.DisabledReason + ")"
	}
	f := newFacts(t.Out)
	f.add("id", w.ID)
	f.add("url", w.URL)
	f.add("status", status)
	f.add("events", strings.Join(w.Events, ", "))
	f.add("contract", w.Contract)
	f.add("environment", w.Environment)
	f.add("description", w.Description)
	f.add("max in flight", positive(w.MaxInFlight))
	if w.RateLimit > 0 {
		f.add("rate limit", fmt.Sprintf("%g a second", w.RateLimit))
	}
	f.add("created", moment(w.CreatedAt, now))
	if w.DisabledAt != nil {
		f.add("disabled", moment(*w.DisabledAt, now))
	}
	printRotation(f, w.SecretRotation, now)
	_ = f.flush()
}

func positive(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprint(n)
}
