package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/api"
)

func newSettings(t *Terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "settings",
		Short: "Set one URL that gets every event of an environment, in rounds",
		Example: `  postrider settings get --environment sandbox
  postrider settings set https://example.com/webhook
  postrider settings test`,
	}
	r := newRemote(t, c)
	return group(c, newSettingsGet(r), newSettingsSet(r), newSettingsRemove(r), newSettingsTest(r))
}

// inEnvironment adds the flag that all commands on settings have.
func inEnvironment(c *cobra.Command, environment *string) {
	c.Flags().StringVar(environment, "environment", "", "`environment`, production or sandbox (default: the key's)")
}

func newSettingsGet(r *remote) *cobra.Command {
	var environment string
	c := &cobra.Command{
		Use:     "get",
		Short:   "Show the API settings of an environment",
		Example: "  postrider settings get --environment sandbox",
		Args:    arguments(cobra.NoArgs),
	}
	inEnvironment(c, &environment)
	c.RunE = func(c *cobra.Command, _ []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		s, err := server.APISettings(c.Context(), environment)
		if err != nil {
			return err
		}
		return r.show(s, func() { printSettings(r.t, s) })
	}
	return c
}

func newSettingsSet(r *remote) *cobra.Command {
	var environment string
	var in api.APISettingsUpdate
	c := &cobra.Command{
		Use:   "set URL",
		Short: "Set or change the URL, and its secret",
		Long: `Set or change the URL, and its secret. The first time a secret is made, unless one is given. Events that wait for
their round go to the URL as it is then.`,
		Example: `  postrider settings set https://example.com/webhook
  postrider settings set https://example.com/webhook --rotate-secret --overlap 48h`,
		Args: arguments(cobra.ExactArgs(1)),
	}
	inEnvironment(c, &environment)
	c.Flags().StringVar(&in.Secret, "secret", "", "key of X-Signature, a `secret`")
	c.Flags().BoolVar(&in.RotateSecret, "rotate-secret", false, "give it a new secret, beside the old one for a while")
	c.Flags().StringVar(&in.Overlap, "overlap", "", "`duration` of the rotation, at most 720h (default 24h)")
	c.RunE = func(c *cobra.Command, args []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		in.URL = &args[0]
		s, err := server.PutAPISettings(c.Context(), environment, in)
		if err != nil {
			return err
		}
		return r.show(s, func() {
			printSettings(r.t, s)
			printSecret(r.t, s.Secret)
		})
	}
	return c
}

func newSettingsRemove(r *remote) *cobra.Command {
	var environment string
	c := &cobra.Command{
		Use:     "remove",
		Short:   "Send nothing any more; what still waits is cancelled",
		Example: "  postrider settings remove --environment sandbox",
		Args:    arguments(cobra.NoArgs),
	}
	inEnvironment(c, &environment)
	c.RunE = func(c *cobra.Command, _ []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		s, err := server.PutAPISettings(c.Context(), environment, api.APISettingsUpdate{})
		if err != nil {
			return err
		}
		return r.show(s, func() { printSettings(r.t, s) })
	}
	return c
}

func newSettingsTest(r *remote) *cobra.Command {
	var environment, topic string
	c := &cobra.Command{
		Use:   "test",
		Short: "Send the URL a test event at once, and show what came back",
		Long: `Send the URL a test event at once, signed as a real one, and show what came back. Ends with 1 when the endpoint did
not take it.`,
		Example: "  postrider settings test --environment sandbox",
		Args:    arguments(cobra.NoArgs),
	}
	inEnvironment(c, &environment)
	c.Flags().StringVar(&topic, "type", "", "`topic` of the test event (default shipment.status_updated)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		result, err := server.TestAPISettings(c.Context(), environment, topic)
		if err != nil {
			return err
		}
		return r.tested(result)
	}
	return c
}

func printSettings(t *Terminal, s *api.APISettings) {
	now := time.Now()
	f := newFacts(t.Out)
	f.add("environment", s.Environment)
	if s.URL != nil {
		f.add("url", *s.URL)
	}
	f.add("status", s.Status)
	if s.WebhookID != nil {
		f.add("endpoint", *s.WebhookID)
	}
	f.add("rounds", fmt.Sprintf("every %s", time.Duration(s.Dispatch.EverySeconds*float64(time.Second))))
	f.add("next round", moment(s.Dispatch.NextAt, now))
	f.add("time limit", fmt.Sprintf("%d ms", s.TimeoutMS))
	printRotation(f, s.SecretRotation, now)
	_ = f.flush()
}

func printRotation(f *facts, rotation *api.SecretRotation, now time.Time) {
	if rotation != nil {
		f.add("rotation", "signs with "+rotation.SignsWith+" until "+moment(rotation.Until, now))
	}
}
