package bench

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider"
)

// Secrets reach the benchmark's own processes through these variables, since a command line can be
// read by every user of the machine.
const (
	secretVariable = "POSTRIDER_BENCH_SECRET" // that deliveries are signed with
	keyVariable    = "POSTRIDER_BENCH_KEY"    // that events are published with
)

// Command is `postrider bench` with its hidden programs. executable names the file that it starts them from, and
// whose `serve` it measures.
func Command(executable func() (string, error)) *cobra.Command {
	options := defaultOptions()
	var asJSON, check bool
	command := &cobra.Command{
		Use:   "bench",
		Short: "Measure the product against a bare relay, in one run, as ratios",
		Long: `Measure the product against a bare relay that signs and delivers and keeps nothing.

A receiver, a load generator, the relay and the product run as processes of their own on loopback.
Relay and product take turns; medians of the rounds and ratios within a round are printed.
Run it on a machine that does nothing else. It needs Linux, for CPU time and memory.`,
		Example: `  postrider bench                        64 connections, each waiting for its answers
  postrider bench --rate 500             latency at a fixed rate
  postrider bench --batch 100            through /v1/events/batch
  postrider bench --history 1000000      beside them, a store that has seen a million events
  postrider bench --suite                everything in docs/benchmarks.md (about 6 minutes)`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := options.check(); err != nil {
				return err
			}
			path, err := executable()
			if err != nil {
				return err
			}
			b := &benchmark{options: options, executable: path, progress: command.ErrOrStderr(), credentials: newCredentials()}
			r, err := b.run(command.Context())
			if r != nil && len(r.Scenarios) > 0 { // what was measured before a failure is worth showing
				err = firstError(err, r.write(command.OutOrStdout(), asJSON))
			}
			if err != nil {
				return err
			}
			return r.judge(check)
		},
	}
	flags := command.Flags()
	flags.BoolVar(&options.Suite, "suite", false, "run every scenario of docs/benchmarks.md, with what is promised of each")
	flags.IntVar(&options.Events, "events", 0, "events measured a round (default 30000, or ten seconds of --rate)")
	flags.IntVar(&options.Connections, "connections", options.Connections, "keep-alive connections that publish")
	flags.IntVar(&options.Fanout, "fanout", options.Fanout, "endpoints that get each event")
	flags.IntVar(&options.Size, "size", options.Size, "bytes of an event's data")
	flags.IntVar(&options.Batch, "batch", options.Batch, "events in a publish request")
	flags.Float64Var(&options.Rate, "rate", 0, "events a second, whatever the answers do (default: wait for each answer)")
	flags.IntVar(&options.Rounds, "rounds", options.Rounds, "rounds of each side; use at least three for figures to keep")
	flags.IntVar(&options.History, "history", 0, "measure the product also on a store with so many finished events")
	flags.IntVar(&options.Dead, "dead", 0, "measure the product also beside a dead endpoint with so many undelivered events")
	flags.StringVar((*string)(&options.DeadKind), "dead-kind", string(options.DeadKind), "how the dead endpoint is dead: silent or reset")
	flags.StringSliceVar(&options.Sides, "sides", options.Sides, "what to measure: relay, product or both")
	flags.BoolVar(&options.Verify, "verify", false, "let the receiver verify every signature")
	flags.StringVar(&options.Temp, "temp", "", "folder for the product's data, on a real disk (default: the system's for temporary files)")
	flags.DurationVar(&options.TimeLimit, "time-limit", options.TimeLimit, "give up after this long")
	flags.DurationVar(&options.Stall, "stall", options.Stall, "count deliveries as lost when none has come for this long")
	flags.StringVar(&options.ProfileFolder, "cpuprofile", "", "write CPU profiles of the product into this folder")
	flags.BoolVar(&asJSON, "json", false, "print the figures as JSON")
	flags.BoolVar(&check, "check", false, "fail when a promise of the suite is not kept")
	_ = flags.MarkHidden("cpuprofile") // it slows what it measures
	command.AddCommand(sinkCommand(), loadCommand(), relayCommand(), preloadCommand())
	return command
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *report) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return r.writeJSON(w)
	}
	return r.writeTable(w)
}

// judge fails when anything was lost, and with check when a promise is not kept.
func (r *report) judge(check bool) error {
	if n := r.lost(); n > 0 {
		return postrider.Errorf(postrider.CodeInternal, "%d events or deliveries were lost, refused or wrongly signed", n)
	}
	if broken := r.broken(); check && len(broken) > 0 {
		return postrider.Errorf(postrider.CodeInternal, "not kept:\n%s", strings.Join(broken, "\n"))
	}
	return nil
}

// program makes a hidden command that runs until it is done, or its parent closes its standard input.
func program(use string, run func(ctx context.Context, command *cobra.Command) error) *cobra.Command {
	return &cobra.Command{Use: use, Hidden: true, Args: cobra.NoArgs, RunE: func(command *cobra.Command, _ []string) error {
		ctx, cancel := context.WithCancel(command.Context())
		defer cancel()
		go func() { // ends with the process: a read of standard input cannot be called off
			_, _ = io.Copy(io.Discard, command.InOrStdin())
			cancel()
		}()
		return run(ctx, command)
	}}
}

func sinkCommand() *cobra.Command {
	var verify bool
	var kind string
	command := program("sink", func(ctx context.Context, command *cobra.Command) error {
		var secret postrider.Secret
		if verify {
			secret = postrider.NewSecret(os.Getenv(secretVariable))
		}
		s, err := newSink(secret)
		if err != nil {
			return err
		}
		return runSink(ctx, s, deadKind(kind), command.OutOrStdout())
	})
	command.Flags().BoolVar(&verify, "verify", false, "verify signatures")
	command.Flags().StringVar(&kind, "dead-kind", string(deadSilent), "how the dead receiver is dead")
	return command
}

func relayCommand() *cobra.Command {
	var targets []string
	command := program("relay", func(ctx context.Context, command *cobra.Command) error {
		r, err := newRelay(targets, postrider.NewSecret(os.Getenv(secretVariable)))
		if err != nil {
			return err
		}
		return runRelay(ctx, r, command.OutOrStdout())
	})
	command.Flags().StringArrayVar(&targets, "target", nil, "URL to deliver to; may be repeated")
	return command
}

func loadCommand() *cobra.Command {
	var l load
	command := program("load", func(ctx context.Context, command *cobra.Command) error {
		l.Key = postrider.NewSecret(os.Getenv(keyVariable))
		result, err := l.run(ctx)
		if err != nil {
			return err
		}
		return json.NewEncoder(command.OutOrStdout()).Encode(result)
	})
	flags := command.Flags()
	flags.StringVar(&l.URL, "url", "", "server to publish to")
	flags.StringVar(&l.Topic, "topic", "", "topic of the events")
	flags.IntVar(&l.Run, "run", 0, "number of this run")
	flags.IntVar(&l.Events, "events", 0, "events")
	flags.IntVar(&l.Connections, "connections", 1, "connections")
	flags.IntVar(&l.Batch, "batch", 1, "events in a request")
	flags.IntVar(&l.Size, "size", minData, "bytes of an event's data")
	flags.Float64Var(&l.Rate, "rate", 0, "events a second")
	return command
}

// args are the arguments of a process that runs this load. The key is not among them.
func (l load) args() []string {
	return []string{"bench", "load", "--url", l.URL, "--topic", l.Topic, "--run", strconv.Itoa(l.Run), "--events", strconv.Itoa(l.Events),
		"--connections", strconv.Itoa(l.Connections), "--batch", strconv.Itoa(l.Batch), "--size", strconv.Itoa(l.Size),
		"--rate", strconv.FormatFloat(l.Rate, 'g', -1, 64)}
}

func preloadCommand() *cobra.Command {
	var folder string
	var events, size int
	command := program("preload", func(ctx context.Context, command *cobra.Command) error {
		started := time.Now()
		if err := preload(ctx, folder, events, size); err != nil {
			return err
		}
		return json.NewEncoder(command.OutOrStdout()).Encode(preloaded{Events: events, Took: time.Since(started)})
	})
	command.Flags().StringVar(&folder, "data", "", "the product's data folder, which exists")
	command.Flags().IntVar(&events, "events", 0, "finished events to add")
	command.Flags().IntVar(&size, "size", minData, "bytes of an event's data")
	return command
}
