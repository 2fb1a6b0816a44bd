package cli

import (
	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/auth"
)

// hashCommand is the command that serve runs to hash passwords in a process of its own. It is hidden,
// because it is of no use to a person.
const hashCommand = "hash-passwords"

func newHash(t *Terminal) *cobra.Command {
	return &cobra.Command{
		Use:    hashCommand,
		Short:  "Hash passwords for a server, from standard input to standard output",
		Args:   arguments(cobra.NoArgs),
		Hidden: true,
		RunE:   func(*cobra.Command, []string) error { return auth.ServeHashes(t.In, t.Out) },
	}
}
