package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/server"
)

// How often a server is asked how far it is with sealing.
const askSealingEvery = 250 * time.Millisecond

func newSecrets(t *Terminal) *cobra.Command {
	c := &cobra.Command{
		Use:     "secrets",
		Short:   "Keep stored secrets sealed",
		Example: `  postrider secrets rotate`,
		Args:    arguments(cobra.NoArgs),
	}
	r := newRemote(t, c)
	c.AddCommand(newSecretsRotate(r))
	return c
}

func newSecretsRotate(r *remote) *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Seal all stored secrets again, with a new key",
		Long: `Seal all stored secrets again, with a new key.

A running server does it in the background, and this waits for it; it needs the operator's key. With
--data it works on the folder of a server that is stopped.

The new key goes in front of the others in the key file; old ones stay there, since backups need them.
Keys in POSTRIDER_ENCRYPTION_KEYS are yours to make: put a new one in front and start the server again,
which seals everything with it.

It goes in small steps. When it is broken off, the next run or start goes on from there.`,
		Example: `  postrider secrets rotate
  postrider secrets rotate --data /var/lib/postrider`,
		Args: arguments(cobra.NoArgs),
	}
	flags := c.Flags()
	flags.String("config", "", "`file` of a stopped server's settings")
	flags.String("data", "", "`folder` of a stopped server's store")
	flags.String("encryption-key-file", "", "`file` of the keys (default beside the data folder, FOLDER.key)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if settings := given(c); len(settings) > 0 {
			return rotateFolder(c.Context(), r, settings)
		}
		return rotateServer(c.Context(), r)
	}
	return c
}

// rotateServer asks a running server, and waits until it is done.
func rotateServer(ctx context.Context, r *remote) error {
	gateway, err := r.client()
	if err != nil {
		return err
	}
	state, err := gateway.RotateSealing(ctx)
	if err != nil {
		return err
	}
	tell := progressOf(r.t)
	total := state.Outdated
	for ask := time.NewTicker(askSealingEvery); ; {
		tell(total-state.Outdated, total)
		if state.Outdated == 0 {
			ask.Stop()
			break
		}
		select {
		case <-ctx.Done():
			ask.Stop()
			return ctx.Err()
		case <-ask.C:
		}
		if state, err = gateway.Sealing(ctx); err != nil {
			return err
		}
		total = max(total, state.Outdated)
	}
	return r.show(state, func() {
		fmt.Fprintf(r.t.Out, "All secrets are sealed by the key %s now. Keep a copy of the server's key file.\n", state.Key)
	})
}

// rotateFolder works on the data folder that the settings name.
func rotateFolder(ctx context.Context, r *remote, settings map[string]string) error {
	loaded, err := config.Load(config.Sources{Environ: r.t.Environ, Flags: settings})
	if err != nil {
		return badUsage(err)
	}
	done, err := server.RotateSecrets(ctx, loaded, progressOf(r.t))
	if err != nil {
		return err
	}
	return r.show(done, func() { tellRotation(r.t, done) })
}

// progressOf writes a line for every tenth that is done.
func progressOf(t *Terminal) func(done, total int) {
	said := 0
	return func(done, total int) {
		tenth := 10 * done / max(total, 1)
		if tenth > said {
			said = tenth
			fmt.Fprintf(t.Err, "%d of %d secrets\n", done, total)
		}
	}
}

func tellRotation(t *Terminal, r *server.Rotation) {
	if r.File == "" && r.Sealed == 0 {
		fmt.Fprintf(t.Out, "All secrets are sealed by the newest key, %s. For a new one, put it in front of POSTRIDER_ENCRYPTION_KEYS and run this again:\n\n    echo \"$(date +%%Y%%m%%d):$(openssl rand -base64 32)\"\n", r.Key)
		return
	}
	fmt.Fprintf(t.Out, "%d secrets are sealed by the key %s now.\n", r.Sealed, r.Key)
	if r.Made {
		fmt.Fprintf(t.Out, "The key is new: keep a copy of %s.\n", r.File)
	}
	if len(r.Unused) > 0 {
		fmt.Fprintf(t.Out, "No secret of this store needs these keys any more; backups may: %s\n", strings.Join(r.Unused, ", "))
	}
}
