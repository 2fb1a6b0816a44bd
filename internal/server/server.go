package server

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/config"
)

// Options are what a Server needs beside its configuration. Zero fields have the defaults named here.
type Options struct {
	Config config.Config
	// Listener takes the connections; without one, Start listens on Config.Listen. Stop closes it.
	Listener net.Listener
	// Logger gets what happens: none without it.
	Logger  *slog.Logger
	Version string // of the program, for the API's description
	// HashCommand is a program and its arguments that hash passwords in a process of their own, as
	// auth.ServeHashes does; without it they are hashed in this process, and slow events down.
	HashCommand []string
	// ShowOperatorKey is given the operator's key if this start made one. It is the only time that
	// anybody can see it. Without it the first start fails unless Config has a key.
	ShowOperatorKey func(postrider.Secret)
}

// Server is a whole Postrider server in one process. Start it once, stop it once.
type Server struct {
	options  Options
	log      *slog.Logger
	address  net.Addr
	parts    teardowns
	draining atomic.Bool // no new events
	failed   chan error  // holds why the HTTP server ended by itself
	stop     sync.Once
	stopped  error
}

// New makes a server that does nothing until Start.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{options: o, log: o.Logger, failed: make(chan error, 1)}
}

// Start brings everything up and returns when requests are answered. After an error nothing is left
// running. ctx bounds the start only.
func (s *Server) Start(ctx context.Context) error {
	for _, warning := range s.options.Config.Warnings() {
		s.log.Warn(warning)
	}
	if err := s.compose(ctx); err != nil {
		ended, cancel := context.WithCancel(context.WithoutCancel(ctx))
		cancel() // nothing is under way that would be worth a grace
		_ = s.parts.run(ended)
		if s.options.Listener != nil {
			_ = s.options.Listener.Close()
		}
		return err
	}
	s.log.Info("server started", "address", s.address.String(), "data", s.options.Config.Data, "dev", s.options.Config.Dev)
	return nil
}

// Stop takes no new events, lets requests under way end until ctx does, settles what came back and
// closes the store. The error says what could not be finished; what was accepted is delivered after
// the next start. Calling it again gives the same answer.
func (s *Server) Stop(ctx context.Context) error {
	s.stop.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, s.options.Config.ShutdownGrace)
		defer cancel()
		s.stopped = s.parts.run(ctx)
		s.log.Info("server stopped", "clean", s.stopped == nil)
	})
	return s.stopped
}

// Failed gives the reason when the HTTP server ends by itself, after which Stop is due.
func (s *Server) Failed() <-chan error { return s.failed }

// URL is where the server can be reached from this machine. It is known after Start.
func (s *Server) URL() string {
	host, port, err := net.SplitHostPort(s.address.String())
	if err != nil {
		return "http://" + s.address.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
