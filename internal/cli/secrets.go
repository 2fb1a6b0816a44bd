package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/server"
)

func newSecrets(t *Terminal) *cobra.Command {
	c := &cobra.Command{
		Use:     "secrets",
		Short:   "Keep stored secrets sealed",
		Example: `  postrider secrets rotate --data /var/lib/postrider`,
		Args:    arguments(cobra.NoArgs),
	}
	c.AddCommand(newSecretsRotate(t))
	return c
}

func newSecretsRotate(t *Terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Seal all stored secrets again, with a new key",
		Long: `Seal all stored secrets again, with a new key.

It works on the data folder of a server that is stopped. With a key file it puts a new key in front of
the others there. Keys in POSTRIDER_ENCRYPTION_KEYS are yours to make: put a new one in front and run
this, or start the server, which does the same in the background.

It goes in small steps, and when it is broken off, the next run or start goes on from there. Old keys stay
in the file, since backups need them.`,
		Example: `  postrider secrets rotate --data /var/lib/postrider`,
		Args:    arguments(cobra.NoArgs),
	}
	flags := c.Flags()
	flags.String("config", "", "`file` of the server's settings")
	flags.String("data", "", "`folder` of the store (default ./postrider-data)")
	flags.String("encryption-key-file", "", "`file` of the keys (default beside the data folder, FOLDER.key)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		loaded, err := config.Load(config.Sources{Environ: t.Environ, Flags: given(c)})
		if err != nil {
			return badUsage(err)
		}
		said := 0
		r, err := server.RotateSecrets(c.Context(), loaded, func(done, total int) {
			if percent := 100 * done / max(total, 1); percent >= said+10 || done == total && done > 0 && said < 100 {
				said = percent
				fmt.Fprintf(t.Err, "%d of %d secrets\n", done, total)
			}
		})
		if err != nil {
			return err
		}
		tellRotation(t, r)
		return nil
	}
	return c
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
