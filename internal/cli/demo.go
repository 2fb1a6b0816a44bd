package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/demo"
	"github.com/postrider/postrider/internal/observe"
)

func newDemo(t *Terminal) *cobra.Command {
	var o demo.Options
	var level observe.LogLevel
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run a gateway with a verifying receiver for every contract, and publish live events",
		Long: `Run a gateway on a temporary store, with a receiver for every built-in contract that verifies what it
gets as the contract's own document says, and publish a few events. Then it says what to try next
and shows what arrives, until Ctrl-C.`,
		Example: `  postrider demo
  postrider demo --once    end when every delivery was verified, with 1 if one was not`,
		Args: arguments(cobra.NoArgs),
	}
	_ = level.UnmarshalText([]byte("warn")) // a word of the list
	c.Flags().BoolVar(&o.Once, "once", false, "end when every delivery was verified; 1 if one was not")
	c.Flags().StringVar(&o.Listen, "listen", "", "`host:port` of the gateway (default: any free port of this machine)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		o.Out, o.Logger, o.Program = t.Out, observe.NewLogger(t.Err, observe.LogText, level), os.Args[0]
		return demo.Run(c.Context(), o)
	}
	return c
}
