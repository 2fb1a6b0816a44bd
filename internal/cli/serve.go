package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/observe"
	"github.com/postrider/postrider/internal/server"
)

func newServe(t *Terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long: `Run the gateway until it is told to stop.

Every flag has an environment variable: --shutdown-grace is POSTRIDER_SHUTDOWN_GRACE. A flag goes over
the variable, the variable over the file given by --config, the file over the default.

POSTRIDER_OPERATOR_KEY sets the operator's key. Without it the first start makes one and prints it once.

Secrets are stored sealed. POSTRIDER_ENCRYPTION_KEYS holds the keys, id:base64,id:base64, the newest first.
Without it the first start makes a key file beside the data folder: keep a copy of it, in another place
than the backups of the folder.`,
		Example: `  postrider serve
  postrider serve --listen 0.0.0.0:8080 --data /var/lib/postrider
  POSTRIDER_DEV_TIME_SCALE=1000 postrider serve --dev --data ./trial`,
		Args: arguments(cobra.NoArgs),
	}
	registerServeFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		loaded, err := config.Load(config.Sources{Environ: t.Environ, Flags: given(c)})
		if err != nil {
			return badUsage(err)
		}
		return serve(c.Context(), t, loaded)
	}
	return c
}

func registerServeFlags(c *cobra.Command) {
	flags := c.Flags()
	flags.String("config", "", "`file` of settings, YAML; its keys are these flags with \"_\" for \"-\"")
	flags.String("listen", "", "`host:port` to listen on; port 0 takes any (default 127.0.0.1:8080)")
	flags.String("data", "", "`folder` of the store, made if it does not exist (default ./postrider-data)")
	flags.Bool("dev", false, "permit http:// endpoints and private addresses, and let --dev-time-scale count")
	flags.String("dev-time-scale", "", "divide the durations of retry and dispatch schedules by this `number`; 1000 makes an hour 3.6 s")
	flags.String("bootstrap-file", "", "`file` of tenants, users, keys and endpoints to make if they are absent, YAML")
	flags.String("encryption-key-file", "", "`file` of the keys that seal stored secrets, made if it does not exist (default beside the data folder, FOLDER.key)")
	flags.String("contracts", "", "`folder` of contracts beside the built-in ones, *.yaml")
	flags.String("publish-limit", "", "largest `size` of a published event's body (default 1MiB)")
	flags.String("publish-rate", "", "`number` of publishing requests that one key may make a minute, 0 for no bound (default 3000000)")
	flags.String("manage-rate", "", "`number` of other requests that one key may make a minute, 0 for no bound (default 60000)")
	flags.String("allow-private", "", "`networks` that may be delivered to though they are not public, 10.0.0.0/8,…")
	flags.String("proxy-url", "", "`URL` of a proxy to send deliveries through; the usual proxy variables are ignored")
	flags.String("extra-ca-file", "", "`file` of certificates to trust beside the system's when delivering, PEM")
	flags.String("log-level", "", "least `level` to log: debug, info, warn or error (default info)")
	flags.String("log-format", "", "`format` of the log on standard error: text or json (default text)")
	flags.String("token-life", "", "`duration` that the ID tokens of a login are good (default 8m)")
	flags.String("wms-code", "", "`code` that clients of the eWarehousing API must send as X-Wms-Code (default none)")
	flags.String("shutdown-grace", "", "`duration` that requests under way may take to end when stopping (default 30s)")
	flags.String("pprof", "", "loopback `address` that serves profiles")
	_ = flags.MarkHidden("pprof") // it exists, so this cannot fail
}

// given collects the flags that stand on the command line.
func given(c *cobra.Command) map[string]string {
	set := make(map[string]string)
	for _, name := range append(config.FlagNames(), "config") {
		if f := c.Flags().Lookup(name); f != nil && f.Changed {
			set[name] = f.Value.String()
		}
	}
	return set
}

func serve(ctx context.Context, t *Terminal, c config.Config) error {
	if t.variable("GOGC") == "" && t.variable("GOMEMLIMIT") == "" { // else the operator has chosen
		defer keepHeap()()
	}
	s := server.New(server.Options{
		Config:          c,
		Version:         version(),
		Logger:          observe.NewLogger(t.Err, c.LogFormat, c.LogLevel),
		HashCommand:     hashProgram(t),
		ShowOperatorKey: func(key postrider.Secret) { showOperatorKey(t, key) },
	})
	if err := s.Start(ctx); err != nil {
		return err
	}
	fmt.Fprintf(t.Out, "Postrider listens on %s\n", s.URL())
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-s.Failed():
	}
	if err := s.Stop(context.WithoutCancel(ctx)); failure == nil {
		failure = err
	}
	return failure
}

// hashProgram is this program's own command that hashes passwords; nil when its file is not known.
func hashProgram(t *Terminal) []string {
	if t.Program == "" {
		return nil
	}
	return []string{t.Program, hashCommand}
}

func showOperatorKey(t *Terminal, key postrider.Secret) {
	fmt.Fprintf(t.Out, `This is the first start on this data folder, so an operator's key was made. It may do everything,
in every tenant. It is shown only this once; the store keeps nothing but its hash:

    %s

Use it as "Authorization: Bearer …", or for the commands of this program:

    export POSTRIDER_KEY=%s

If it is lost, start once with POSTRIDER_OPERATOR_KEY set to a new one.

`, key.Reveal(), key.Reveal())
}
