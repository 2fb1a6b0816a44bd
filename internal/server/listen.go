package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/postrider/postrider"
)

// Bounds on what a client of the HTTP server may take.
const (
	headerTime  = 10 * time.Second
	readTime    = time.Minute     // a whole request; a batch of 8 MiB at 140 kB/s
	writeTime   = 2 * time.Minute // a whole answer; a test request alone may take a contract's 30 s
	idleTime    = 2 * time.Minute
	headerBytes = 64 << 10
)

// listen starts the HTTP server. Its teardown takes at most half of the time that is left, so that
// deliveries under way keep the other half.
func (s *Server) listen(api, metrics http.Handler) error {
	listener, err := s.listener()
	if err != nil {
		return err
	}
	s.address = listener.Addr()
	s.serve("answer the last requests", listener, &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/metrics" && r.Method == http.MethodGet {
				metrics.ServeHTTP(w, r)
				return
			}
			api.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: headerBytes,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // broken clients, mostly
	})
	return nil
}

func (s *Server) listener() (net.Listener, error) {
	if s.options.Listener != nil {
		return s.options.Listener, nil
	}
	address := s.options.Config.Listen
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &postrider.Error{
			Code: postrider.CodeUnavailable, Err: err,
			Message: "cannot listen on " + address + ": " + reason(err) + "; choose another address with --listen",
		}
	}
	return listener, nil
}

// reason is the last, plainest part of a network error: "address already in use".
func reason(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// serve runs an HTTP server until its teardown.
func (s *Server) serve(teardown string, listener net.Listener, h *http.Server) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := h.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			select {
			case s.failed <- &postrider.Error{Code: postrider.CodeInternal, Err: err, Message: "the HTTP server ended by itself: " + err.Error()}:
			default: // one reason is enough
			}
		}
	}()
	s.parts.on(teardown, func(ctx context.Context) error {
		if deadline, bounded := ctx.Deadline(); bounded {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
			defer cancel()
		}
		err := h.Shutdown(ctx)
		if err != nil {
			err = errors.Join(err, h.Close())
		}
		<-ended
		return err
	})
}

// profile serves net/http/pprof on a loopback address of its own; "" for none.
func (s *Server) profile(address string) error {
	if address == "" {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return postrider.Errorf(postrider.CodeUnavailable, "cannot serve profiles on %s: %w", address, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	s.serve("end profiling", listener, &http.Server{Handler: mux, ReadHeaderTimeout: headerTime})
	s.log.Info("profiles are served", "address", listener.Addr().String())
	return nil
}
