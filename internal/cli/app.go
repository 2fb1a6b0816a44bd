package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/bench"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Terminal is where a command reads and writes.
type Terminal struct {
	In      io.Reader
	Out     io.Writer // results
	Err     io.Writer // errors, progress and logs
	Environ []string  // "KEY=value"
	Program string    // this program's file, to be started again; "" when it is not known
}

// Main runs the program with the process's arguments and gives its exit code. The first SIGINT or
// SIGTERM asks the command to stop gracefully, the second ends the process at once.
func Main() int {
	ctx, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	context.AfterFunc(ctx, restore) // from now on a signal does what it does by default
	program, _ := os.Executable()   // passwords are hashed in this process without it
	return Run(ctx, &Terminal{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ(), Program: program}, os.Args[1:])
}

// Run runs one command and gives its exit code. ctx ends when the command should stop.
func Run(ctx context.Context, t *Terminal, args []string) int {
	root := newRoot(t)
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(t.Err, "postrider: stopped before it was done.")
		return exitFailed
	}
	if usage, ok := errors.AsType[*usageError](err); ok {
		fmt.Fprintf(t.Err, "postrider: %s\n", sentence(usage.Error(), "See '"+command.CommandPath()+" --help'"))
		return exitUsage
	}
	what, todo := explain(err)
	fmt.Fprintf(t.Err, "postrider: %s\n", sentence(what, todo))
	return exitFailed
}

func newRoot(t *Terminal) *cobra.Command {
	root := &cobra.Command{
		Use:   "postrider",
		Short: "A webhook gateway: publish an event once, and every endpoint gets it in the contract it knows",
		Example: `  postrider demo                    a server, receivers for every contract, and live events
  postrider serve                   a server on 127.0.0.1:8080 with its store in ./postrider-data
  postrider send --type order.created --data '{"id": 17}'`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          arguments(cobra.NoArgs),
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(t.In)
	root.SetOut(t.Out)
	root.SetErr(t.Err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badUsage(err) })
	root.AddCommand(commands(t)...)
	root.InitDefaultCompletionCmd()
	completeWords(root)
	return root
}

func commands(t *Terminal) []*cobra.Command {
	return []*cobra.Command{
		newServe(t),
		newSecrets(t),
		newDemo(t),
		newSend(t),
		newEndpoint(t),
		newEvent(t),
		newDelivery(t),
		newTopic(t),
		newSettings(t),
		newTenant(t),
		newUser(t),
		newKey(t),
		newContract(t),
		newVerify(t),
		newBench(),
		newVersion(t),
		newHash(t),
	}
}

// completeWords lets the shell complete the values of flags that take one of a few words.
func completeWords(c *cobra.Command) {
	words := map[string][]string{
		"environment": {"production", "sandbox"},
		"state":       {"pending", "succeeded", "failed", "cancelled"},
		"status":      {"enabled", "paused", "disabled"},
		"role":        {"admin", "publisher", "viewer", "operator"},
		"contract":    contract.BuiltinNames(),
		"log-level":   {"debug", "info", "warn", "error"},
		"log-format":  {"text", "json"},
	}
	for name, values := range words {
		if c.Flags().Lookup(name) != nil {
			// The flag is there and has no completion yet, so this cannot fail.
			_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	for _, member := range c.Commands() {
		completeWords(member)
	}
}

// newBench gives the benchmark's command, which is this program measuring itself.
func newBench() *cobra.Command {
	c := bench.Command(os.Executable)
	c.Args = arguments(c.Args)
	return c
}

// group makes a command that only holds others. Without one of them it shows its help; with a word
// that is none of them it is bad usage, where cobra alone would show the help and report success.
func group(c *cobra.Command, members ...*cobra.Command) *cobra.Command {
	c.Args = arguments(cobra.NoArgs)
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.AddCommand(members...)
	return c
}

// usageError is a mistake in how the program was called.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func badUsage(err error) error { return &usageError{err} }

func badUsagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// arguments marks what a check of positional arguments finds as bad usage.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return badUsage(err)
		}
		return nil
	}
}

// sentence makes one line of what was wrong and what to do.
func sentence(parts ...string) string {
	text := ""
	for _, part := range parts {
		part = strings.TrimRight(strings.TrimSpace(part), ".")
		if part == "" {
			continue
		}
		if text != "" {
			part = " " + strings.ToUpper(part[:1]) + part[1:]
		}
		text += part + "."
	}
	return text
}

// isTerminal reports whether w is a terminal, where progress may be drawn.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// variable looks up an environment variable of the terminal's.
func (t *Terminal) variable(name string) string {
	for _, pair := range t.Environ {
		if value, found := strings.CutPrefix(pair, name+"="); found {
			return value
		}
	}
	return ""
}
