package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/client"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/server"
)

// Options shape a demo.
type Options struct {
	Out     io.Writer
	Logger  *slog.Logger // of the server; none without it
	Listen  string       // address of the server; "" takes any free port of this machine
	Program string       // how this program was called, for the lines to copy; "" is "postrider"
	Once    bool         // end when every delivery has been verified, or after patience
}

// patience bounds how long a demo with Once waits for its deliveries.
const patience = 60 * time.Second

// stage is a demo while it runs.
type stage struct {
	options   Options
	server    *server.Server
	client    *client.Client
	key       string
	receivers []*receiver
	arrivals  chan arrival
	gone      chan struct{}

	published map[string]time.Time // by event id
	owed      map[string]bool      // receiver and event id of deliveries that have not been verified
	faults    int
}

// Run plays the demo until ctx ends, or with Once until it is over. With Once the error tells of a
// delivery that was not verified.
func Run(ctx context.Context, o Options) (err error) {
	if o.Program == "" {
		o.Program = "postrider"
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	s := &stage{
		options: o, key: "demo-" + rand.Text(), arrivals: make(chan arrival), gone: make(chan struct{}),
		published: make(map[string]time.Time), owed: make(map[string]bool),
	}
	folder, err := os.MkdirTemp("", "postrider-demo-")
	if err != nil {
		return fmt.Errorf("the demo has no place for its store: %w", err)
	}
	defer os.RemoveAll(folder)
	if err := s.start(ctx, folder); err != nil {
		return err
	}
	defer s.stop(context.WithoutCancel(ctx))
	s.introduce()
	if err := s.publish(ctx); err != nil {
		return err
	}
	if err := s.watch(ctx, true); err != nil || o.Once {
		return err
	}
	s.suggest()
	return s.watch(ctx, false)
}

// start brings up the server and the receivers, and registers the endpoints through the API.
func (s *stage) start(ctx context.Context, folder string) error {
	c := config.Default()
	c.Listen, c.Data, c.Dev, c.DevTimeScale = s.options.Listen, filepath.Join(folder, "data"), true, timeScale
	c.OperatorKey, c.ShutdownGrace = postrider.NewSecret(s.key), 5*time.Second
	s.server = server.New(server.Options{Config: c, Logger: s.options.Logger, Version: "demo"})
	if err := s.server.Start(ctx); err != nil {
		return err
	}
	err := s.register(ctx)
	if err != nil {
		s.stop(context.WithoutCancel(ctx))
	}
	return err
}

func (s *stage) register(ctx context.Context) (err error) {
	if s.client, err = client.New(s.server.URL(), s.key); err != nil {
		return err
	}
	for _, sub := range subscriptions() {
		verify, found := verifierOf(sub.contract)
		if !found {
			return fmt.Errorf("the demo has no receiver for contract %s", sub.contract)
		}
		r := &receiver{name: sub.name, verify: verify, refuse: sub.refuse, arrivals: s.arrivals, gone: s.gone}
		if err := startReceiver(r); err != nil {
			return err
		}
		s.receivers = append(s.receivers, r)
		webhook, err := s.client.RegisterWebhook(ctx, sub.registration(r.url()))
		if err != nil {
			return fmt.Errorf("registering the endpoint %s: %w", sub.name, err)
		}
		secret := sub.secret
		if webhook.Secret != "" {
			secret = webhook.Secret
		}
		r.secret.Store(&secret)
	}
	return nil
}

func (s *stage) stop(ctx context.Context) {
	close(s.gone)
	_ = s.server.Stop(ctx) // its store is thrown away
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, r := range s.receivers {
		r.stop(ctx)
	}
}

func (s *stage) introduce() {
	fmt.Fprintf(s.options.Out, "A gateway runs on %s, with %d receivers that each verify as their contract's document says.\n", s.server.URL(), len(s.receivers))
	fmt.Fprintf(s.options.Out, "Schedules run %d times faster here: where shiip's sandbox sends every 5 minutes, it is every 3 seconds.\n\n", timeScale)
	table := tabwriter.NewWriter(s.options.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RECEIVER\tCONTRACT\tEVENTS\tVERIFIES")
	for _, sub := range subscriptions() {
		topics := ""
		for i, topic := range sub.topics {
			if i > 0 {
				topics += ", "
			}
			topics += string(topic)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", sub.name, sub.contract, topics, sub.checks)
	}
	_ = table.Flush()
}

// publish publishes the events and notes what is owed for them.
func (s *stage) publish(ctx context.Context) error {
	events := publications()
	fmt.Fprintf(s.options.Out, "\nPublishing %d events:\n\n", len(events))
	for _, p := range events {
		now := time.Now()
		event := p.event(now)
		s.published[event.ID] = now
		owed := 0
		for _, sub := range subscriptions() {
			if sub.gets(p) {
				s.owed[sub.name+" "+event.ID] = true
				owed++
			}
		}
		accepted, err := s.accept(ctx, func() (int, error) {
			answer, err := s.client.Publish(ctx, event)
			if err != nil {
				return 0, err
			}
			return answer.Deliveries, nil
		})
		if err != nil {
			return fmt.Errorf("publishing %s: %w", p.topic, err)
		}
		if accepted != owed {
			return fmt.Errorf("%s was accepted with %d deliveries, not %d", p.topic, accepted, owed)
		}
	}
	return nil
}

// accept makes a call while it shows what arrives, since a receiver waits until it was heard.
func (s *stage) accept(ctx context.Context, call func() (int, error)) (int, error) {
	type answer struct {
		deliveries int
		err        error
	}
	answers := make(chan answer, 1)
	go func() {
		deliveries, err := call()
		answers <- answer{deliveries, err}
	}()
	for {
		select {
		case a := <-s.arrivals:
			s.show(a)
		case got := <-answers:
			return got.deliveries, got.err
		}
	}
}

// watch shows what arrives: until nothing is owed any more, or until ctx ends.
func (s *stage) watch(ctx context.Context, untilDone bool) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for !untilDone || len(s.owed) > 0 {
		select {
		case a := <-s.arrivals:
			s.show(a)
		case <-timeout.C:
			if untilDone {
				return s.verdict()
			}
		case err := <-s.server.Failed():
			return err
		case <-ctx.Done():
			if untilDone && s.options.Once {
				return ctx.Err()
			}
			return nil
		}
	}
	return s.verdict()
}

// verdict is nil when every delivery has been verified and no request was faulty.
func (s *stage) verdict() error {
	if len(s.owed) == 0 && s.faults == 0 {
		fmt.Fprintf(s.options.Out, "\nEvery delivery was verified by its receiver.\n")
		return nil
	}
	return fmt.Errorf("%d requests were not verified, and %d deliveries did not come", s.faults, len(s.owed))
}

func (s *stage) show(a arrival) {
	what := "verified"
	switch {
	case a.fault != nil:
		s.faults++
		what = "NOT VERIFIED: " + a.fault.Error()
	case a.refused:
		what = "verified, and answered 503 to be sent again"
	default:
		delete(s.owed, a.receiver+" "+a.id)
	}
	if published, found := s.published[a.id]; found && a.fault == nil {
		what += fmt.Sprintf(", %s after it was published", short(a.at.Sub(published)))
	}
	if a.topic == "" {
		a.topic = "(topic not in the body)"
	}
	fmt.Fprintf(s.options.Out, "  %s  %-13s %-24s %s\n", a.at.Format("15:04:05.000"), a.receiver, a.topic, what)
}

func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func (s *stage) suggest() {
	url, program := s.server.URL(), s.options.Program
	fmt.Fprintf(s.options.Out, `
What to try next, in another terminal:

  export POSTRIDER_URL=%s POSTRIDER_KEY=%s

  %s send --type order.created --data '{"object": {"id": "ord_18"}}'
  %s event list
  %s delivery list
  %s endpoint list
  %s contract preview xemelgo

  curl -s $POSTRIDER_URL/v1/events -H "Authorization: Bearer $POSTRIDER_KEY" -H 'Content-Type: application/json' \
    -d '{"type": "user.updated", "data": {"object": {"id": "usr_5"}}, "previous_data": {"name": "Old name"}}'
  curl -s $POSTRIDER_URL/v1/webhooks -H "Authorization: Bearer $POSTRIDER_KEY"

What arrives is shown here. Ctrl-C ends the demo and throws its store away.

`, url, s.key, program, program, program, program, program)
}
