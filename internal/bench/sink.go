package bench

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/signature"
)

// sink is the receiver: it reads every delivery, answers 200 and counts it. Its endpoints are the
// paths /hook/0, /hook/1 and so on; /control/ is for the process that runs the benchmark.
//
// Beside it stands a dead receiver on a port of its own, which never answers or breaks the
// connection, see deadKind.
type sink struct {
	tally    atomic.Pointer[tally]
	verifier []*signature.Verifier // nil: signatures are not looked at
	buffers  sync.Pool             // of *[]byte
}

// sinkAddress is what the sink prints when it is ready.
type sinkAddress struct {
	URL  string `json:"url"`
	Dead string `json:"dead"` // URL of the dead receiver
}

// deadKind says how the dead receiver is dead.
type deadKind string

const (
	deadSilent deadKind = "silent" // accepts connections and never answers
	deadReset  deadKind = "reset"  // accepts connections and breaks them at once
)

// maxDelivery bounds the body of a delivery that the sink reads, in bytes.
const maxDelivery = 8 << 20

// newSink makes a sink. With a secret it verifies every signature of the generic contract.
func newSink(secret postrider.Secret) (*sink, error) {
	s := &sink{buffers: sync.Pool{New: func() any { return new([]byte) }}}
	s.tally.Store(newTally(0, 0, 0))
	if secret.IsZero() {
		return s, nil
	}
	generic, err := genericContract()
	if err != nil {
		return nil, err
	}
	for _, scheme := range generic.Schemes() {
		verifier, err := signature.NewVerifier(scheme, []postrider.Secret{secret})
		if err != nil {
			return nil, err
		}
		s.verifier = append(s.verifier, verifier)
	}
	return s, nil
}

// genericContract is the contract that relay, product and sink speak.
func genericContract() (*contract.Contract, error) {
	set, err := contract.NewSet(contract.Builtin()...)
	if err != nil {
		return nil, err
	}
	generic, found := set.Find("generic")
	if !found {
		return nil, postrider.Errorf(postrider.CodeInternal, "the generic contract is not built in")
	}
	return generic, nil
}

// runSink serves until ctx ends; it writes its addresses to ready.
func runSink(ctx context.Context, s *sink, kind deadKind, ready io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	dead, err := newDeadReceiver(kind)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer dead.close()
	address := sinkAddress{URL: "http://" + listener.Addr().String(), Dead: "http://" + dead.listener.Addr().String()}
	if err := json.NewEncoder(ready).Encode(address); err != nil {
		return errors.Join(err, listener.Close())
	}
	return serveUntil(ctx, listener, s)
}

// serveUntil serves handler on listener until ctx ends, then closes every connection.
func serveUntil(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute}
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stopped()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ServeHTTP takes a delivery or a control request.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if number, found := strings.CutPrefix(r.URL.Path, "/hook/"); found && r.Method == http.MethodPost {
		s.take(w, r, number)
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /control/state":
		_ = json.NewEncoder(w).Encode(s.tally.Load().state())
	case "POST /control/reset":
		s.reset(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (s *sink) take(w http.ResponseWriter, r *http.Request, number string) {
	buffer := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buffer)
	body, err := readBody(r, (*buffer)[:0], maxDelivery)
	*buffer = body[:0]
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	now, t := time.Now(), s.tally.Load()
	for _, verifier := range s.verifier {
		if verifier.Verify(r.Header, body, now) != nil {
			t.unverified.Add(1)
			http.Error(w, "wrong signature", http.StatusUnauthorized)
			return
		}
	}
	endpoint, err := strconv.Atoi(number)
	if err != nil {
		endpoint = -1
	}
	m, found := findMarker(body)
	if !found {
		endpoint = -1
	}
	t.add(endpoint, m, now)
}

func (s *sink) reset(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	run, err1 := strconv.Atoi(query.Get("run"))
	events, err2 := strconv.Atoi(query.Get("events"))
	endpoints, err3 := strconv.Atoi(query.Get("endpoints"))
	if err := errors.Join(err1, err2, err3); err != nil || events < 0 || endpoints < 1 || events > maxDeliveries/endpoints {
		http.Error(w, "run, events and endpoints are numbers, and events times endpoints is at most "+strconv.Itoa(maxDeliveries), http.StatusBadRequest)
		return
	}
	s.tally.Store(newTally(run, events, endpoints))
}

// readBody reads a request's body of at most limit bytes into dst.
func readBody(r *http.Request, dst []byte, limit int) ([]byte, error) {
	if r.ContentLength > int64(limit) {
		return dst, postrider.Errorf(postrider.CodeTooLarge, "the body is over %d bytes", limit)
	}
	if n := int(r.ContentLength); n >= 0 {
		if cap(dst) < n {
			dst = make([]byte, n)
		}
		dst = dst[:n]
		_, err := io.ReadFull(r.Body, dst)
		return dst, err
	}
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Body.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, err
		case len(dst) > limit:
			return dst, postrider.Errorf(postrider.CodeTooLarge, "the body is over %d bytes", limit)
		}
	}
}

// deadReceiver is a listener whose connections come to nothing.
type deadReceiver struct {
	listener net.Listener
	kind     deadKind
	done     sync.WaitGroup
	open     []net.Conn // owned by the accepting goroutine until it is done
}

// maxDeadConnections bounds the silent connections kept open; the oldest are closed beyond it.
const maxDeadConnections = 4096

func newDeadReceiver(kind deadKind) (*deadReceiver, error) {
	if kind != deadSilent && kind != deadReset {
		return nil, postrider.FieldError("dead-kind", "%q: use %q or %q", string(kind), deadSilent, deadReset)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &deadReceiver{listener: listener, kind: kind}
	d.done.Go(d.accept)
	return d, nil
}

func (d *deadReceiver) accept() {
	for {
		conn, err := d.listener.Accept()
		if err != nil {
			return
		}
		if tcp, ok := conn.(*net.TCPConn); ok && d.kind == deadReset {
			_ = tcp.SetLinger(0)
			_ = conn.Close()
			continue
		}
		if len(d.open) == maxDeadConnections {
			_ = d.open[0].Close()
			d.open = append(d.open[:0], d.open[1:]...)
		}
		d.open = append(d.open, conn)
	}
}

func (d *deadReceiver) close() {
	_ = d.listener.Close()
	d.done.Wait()
	for _, conn := range d.open {
		_ = conn.Close()
	}
}
