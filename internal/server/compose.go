package server

import (
	"context"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/deliver"
	"github.com/postrider/postrider/internal/egress"
	"github.com/postrider/postrider/internal/ingest"
	"github.com/postrider/postrider/internal/observe"
	"github.com/postrider/postrider/internal/restapi"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/store/sqlite"
)

// compose builds and starts everything, from the store up to the listener. It is one function
// because it is one story: whoever wants to know what a server is made of reads it top to bottom.
// Stop undoes it bottom to top.
func (s *Server) compose(ctx context.Context) error {
	c, metrics := s.options.Config, observe.NewMetrics()

	contracts, err := loadContracts(c.Contracts, c.TimeScale())
	if err != nil {
		return err
	}
	secrets := newSealing(c, s.log)
	db, err := sqlite.Open(ctx, sqlite.Options{Dir: c.Data, Sealer: secrets.sealer})
	if err != nil {
		return err
	}
	s.parts.on("close the store", func(context.Context) error { return db.Close() })
	s.parts.on("end sealing secrets again", secrets.start(ctx, db))
	if err := s.prepareStore(ctx, db); err != nil {
		return err
	}

	index := ingest.NewIndex(contracts)
	if err := index.Load(ctx, db); err != nil {
		return err
	}
	posts, err := egress.New(egress.Options{AllowPrivate: c.Dev, Allow: c.AllowPrivate, ProxyURL: c.ProxyURL, ExtraCAFile: c.ExtraCAFile})
	if err != nil {
		return err
	}
	s.parts.on("close the connections to receivers", func(context.Context) error { posts.Close(); return nil })

	var webhooks *control.Control // made below; the engine needs it only once it is started
	engine := deliver.New(deliver.Options{
		Queue: db, Poster: posts, Contracts: contracts, Logger: s.log, TimeScale: c.TimeScale(),
		OnAttempt: func(r deliver.Report) { observeAttempt(metrics, r) },
		OnSettle:  metrics.Settled,
		Disabled:  func(ctx context.Context, id postrider.EndpointID) error { return refresh(ctx, db, webhooks, id) },
	})
	tokens, err := auth.NewTokens(ctx, auth.TokenOptions{Life: c.TokenLife}, db)
	if err != nil {
		return err
	}
	keys := auth.New(auth.Options{Tokens: tokens}, db)
	webhooks = control.New(control.Options{}, control.Parts{
		Store: db, Contracts: contracts, Subscriptions: index, Lanes: engine, Tester: engine, KeyMemory: keys,
		Passwords: s.passwords(), Tokens: tokens, Sealing: secrets,
		CheckURL: func(raw string, requireHTTPS bool) error {
			_, err := posts.CheckURL(raw, requireHTTPS && !c.Dev)
			return err
		},
	})
	s.keepUp(ctx, keys, db)
	if err := engine.Start(ctx); err != nil {
		return err
	}
	s.parts.on("end all deliveries under way", engine.Stop)
	if c.BootstrapFile != "" {
		b := bootstrap{store: db, webhooks: webhooks, log: s.log}
		if err := b.apply(ctx, c.BootstrapFile, c.Dev); err != nil {
			return err
		}
	}

	events := ingest.New(ingest.Options{
		Inbox: db, Index: index, Offer: engine.Offer,
		OnCommit: func(commit ingest.Commit) { observeCommit(metrics, commit) },
	})
	handler, err := restapi.New(
		restapi.Options{MaxEventBytes: int(c.PublishLimit), PublishLimit: unbounded(c.PublishRate), ManageLimit: unbounded(c.ManageRate), Logger: s.log, Version: s.options.Version},
		restapi.Parts{Control: webhooks, Publisher: events, Authenticator: keys, Ready: func(ctx context.Context) error { return s.ready(ctx, db) }})
	if err != nil {
		events.Close()
		return err
	}
	if err := s.listen(shareOut(handler, s.surfaces(webhooks, tokens, keys)), metrics.Handler()); err != nil {
		events.Close()
		return err
	}
	s.parts.on("commit the last events", func(context.Context) error { events.Close(); return nil })
	s.parts.on("refuse new events", func(context.Context) error { s.draining.Store(true); return nil })
	return s.profile(c.Pprof)
}

// prepareStore makes what a new store needs before anything runs on it.
func (s *Server) prepareStore(ctx context.Context, db store.Store) error {
	if _, err := ensureTenant(ctx, db, postrider.DefaultTenant); err != nil {
		return err
	}
	return ensureOperatorKey(ctx, db, s.options.Config.OperatorKey, s.options.ShowOperatorKey)
}

// ready reports whether events can be taken.
func (s *Server) ready(ctx context.Context, db store.Store) error {
	if s.draining.Load() {
		return postrider.Errorf(postrider.CodeUnavailable, "the server is stopping")
	}
	return db.Ping(ctx)
}

// refresh tells subscriptions and lanes of an endpoint that the engine disabled.
func refresh(ctx context.Context, queue store.Queue, webhooks *control.Control, id postrider.EndpointID) error {
	endpoint, err := queue.LaneEndpoint(ctx, id)
	if err != nil {
		return err
	}
	return webhooks.RefreshWebhook(ctx, endpoint.Tenant, id)
}

func observeCommit(m *observe.Metrics, c ingest.Commit) {
	m.EventsAccepted(c.Events)
	m.EventsDuplicate(c.Duplicates)
	m.Committed(c.Events, c.Took)
}

func observeAttempt(m *observe.Metrics, r deliver.Report) {
	m.AttemptEnded(r.Attempt.Outcome.Code, r.Attempt.Duration)
	m.DeliverySettled(r.State, r.Attempt.StartedAt.Add(r.Attempt.Duration).Sub(r.Event.AcceptedAt))
}

// unbounded writes a bound of 0, which means none, as restapi does.
func unbounded(rate int) int {
	if rate == 0 {
		return -1
	}
	return rate
}
