package egress_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/egress"
	"github.com/postrider/postrider/internal/receivertest"
)

// rawServer serves each connection with a function, on loopback, until the test ends.
type rawServer struct {
	url         string
	address     string
	connections atomic.Int32
}

func serveRaw(t *testing.T, serve func(number int, conn net.Conn, r *bufio.Reader)) *rawServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawServer{url: "http://" + listener.Addr().String(), address: listener.Addr().String()}
	var mu sync.Mutex
	var open []net.Conn
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			number := int(s.connections.Add(1))
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			serving.Go(func() {
				defer func() { _ = conn.Close() }()
				serve(number, conn, bufio.NewReader(conn))
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	return s
}

// take reads one request whole.
func take(r *bufio.Reader) bool {
	request, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, request.Body)
	return err == nil
}

func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// untilClosed waits until the other side has gone.
func untilClosed(r io.Reader) { _, _ = io.Copy(io.Discard, r) }

func TestHostileAnswersBecomeClosedCodesInBoundedTime(t *testing.T) {
	const limit = 300 * time.Millisecond
	drip := func(conn net.Conn, text string, every time.Duration) {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for i := range len(text) {
			if _, err := conn.Write([]byte{text[i]}); err != nil {
				return
			}
			<-ticker.C
		}
	}
	endless := func(conn net.Conn, text string) {
		block := []byte(strings.Repeat(text, 1+4096/len(text)))
		for {
			if _, err := conn.Write(block); err != nil {
				return
			}
		}
	}
	for _, test := range []struct {
		name  string
		serve func(conn net.Conn, r *bufio.Reader)
		code  postrider.OutcomeCode
		says  string
	}{
		{"accepts and says nothing", func(_ net.Conn, r *bufio.Reader) { untilClosed(r) }, postrider.OutcomeTimeout, "no answer within 300ms (connected to 127.0.0.1:"},
		{"takes the request and says nothing", func(_ net.Conn, r *bufio.Reader) { take(r); untilClosed(r) }, postrider.OutcomeTimeout, "waited for the response head"},
		{"a byte of the head now and then", func(conn net.Conn, r *bufio.Reader) {
			take(r)
			drip(conn, "HTTP/1.1 200 OK\r\nX-Slow: "+strings.Repeat("a", 1000), 20*time.Millisecond)
		}, postrider.OutcomeTimeout, "the response head began and did not end"},
		{"a header that never ends", func(conn net.Conn, r *bufio.Reader) {
			take(r)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Long: ")
			endless(conn, "a")
		}, postrider.OutcomeTooLarge, "over the limit"},
		{"headers that never end", func(conn net.Conn, r *bufio.Reader) {
			take(r)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
			endless(conn, "X-Many: a\r\n")
		}, postrider.OutcomeTooLarge, "over the limit"},
		{"a status line that never ends", func(conn net.Conn, r *bufio.Reader) { take(r); endless(conn, "H") }, postrider.OutcomeTooLarge, "over the limit"},
		{"1xx answers that never end", func(conn net.Conn, r *bufio.Reader) {
			take(r)
			endless(conn, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
		}, postrider.OutcomeTooLarge, "over the limit"},
		{"100 Continue again and again, slowly", func(conn net.Conn, r *bufio.Reader) {
			take(r)
			for {
				drip(conn, "HTTP/1.1 100 Continue\r\n\r\n", time.Millisecond)
				if _, err := conn.Write(nil); err != nil {
					return
				}
				if _, err := conn.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
					return
				}
			}
		}, postrider.OutcomeTimeout, ""},
		{"another protocol", func(conn net.Conn, r *bufio.Reader) {
			_, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.2p1\r\n")
			untilClosed(r)
		}, postrider.OutcomeProtocol, "did not answer in HTTP"},
		{"binary noise", func(conn net.Conn, r *bufio.Reader) {
			take(r)
			_, _ = conn.Write([]byte("\x00\x01\x02\xff\x1b[31m\n\n"))
		}, postrider.OutcomeProtocol, "did not answer in HTTP"},
		{"a status that is no number", func(conn net.Conn, r *bufio.Reader) {
			take(r)
			_, _ = io.WriteString(conn, "HTTP/1.1 OK fine\r\n\r\n")
		}, postrider.OutcomeProtocol, "did not answer in HTTP"},
		{"a malformed header", func(conn net.Conn, r *bufio.Reader) {
			take(r)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n")
		}, postrider.OutcomeProtocol, "did not answer in HTTP"},
		{"two lengths", func(conn net.Conn, r *bufio.Reader) {
			take(r)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")
		}, postrider.OutcomeProtocol, "did not answer in HTTP"},
		{"closes when it has accepted", func(net.Conn, *bufio.Reader) {}, postrider.OutcomeReset, "closed the connection before it answered"},
		{"resets when it has accepted", func(conn net.Conn, _ *bufio.Reader) { reset(conn) }, postrider.OutcomeReset, "closed the connection "},
		{"closes when it has the request", func(_ net.Conn, r *bufio.Reader) { take(r) }, postrider.OutcomeReset, "closed the connection before it answered"},
		{"resets when it has the request", func(conn net.Conn, r *bufio.Reader) { take(r); reset(conn) }, postrider.OutcomeReset, "closed the connection before it answered"},
		{"closes inside the head", func(conn net.Conn, r *bufio.Reader) {
			take(r)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-")
		}, postrider.OutcomeReset, "in the middle of the response's head"},
		{"resets inside the head", func(conn net.Conn, r *bufio.Reader) {
			take(r)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-")
			reset(conn)
		}, postrider.OutcomeReset, "127.0.0.1:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := newParallelClient(t)
			server := serveRaw(t, func(_ int, conn net.Conn, r *bufio.Reader) { test.serve(conn, r) })
			began := time.Now()
			result := post(t, client, server.url+"/path?token=geheim", func(r *egress.Request) { r.Timeout = limit })
			if result.Failure != test.code || !strings.Contains(result.Detail, test.says) || result.Response.Status != 0 {
				t.Errorf("got %q %q, want %q %q", result.Failure, result.Detail, test.code, test.says)
			}
			if strings.ContainsAny(result.Detail, "\x00\x1b\r\n") || strings.Contains(result.Detail, "geheim") || len(result.Detail) > 400 {
				t.Errorf("detail %q", result.Detail)
			}
			if took := time.Since(began); took > limit+2*time.Second {
				t.Errorf("it took %s", took)
			}
			if n := server.connections.Load(); n != 1 {
				t.Errorf("%d connections: a new one's failure must not be repeated", n)
			}
		})
	}
}

// newParallelClient is for tests that run beside others, where goroutines cannot be told apart.
func newParallelClient(t *testing.T) *egress.Client {
	t.Helper()
	client, err := egress.New(egress.Options{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestStatusInTimeIsAnAnswerWhateverBecomesOfTheBody(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nRetry-After: soon\r\n"
	for _, test := range []struct {
		name      string
		serve     func(conn net.Conn, r *bufio.Reader)
		body      int // bytes kept
		truncated bool
		atLeast   time.Duration
		atMost    time.Duration
	}{
		{"ten gigabytes", func(conn net.Conn, r *bufio.Reader) {
			_, _ = io.WriteString(conn, head+"Content-Length: 10737418240\r\n\r\n")
			block := make([]byte, 64<<10)
			for {
				if _, err := conn.Write(block); err != nil {
					return
				}
			}
		}, 64 << 10, true, 0, time.Second},
		{"chunks for ever", func(conn net.Conn, r *bufio.Reader) {
			_, _ = io.WriteString(conn, head+"Transfer-Encoding: chunked\r\n\r\n")
			for {
				if _, err := io.WriteString(conn, "400\r\n"+strings.Repeat("x", 1024)+"\r\n"); err != nil {
					return
				}
			}
		}, 64 << 10, true, 0, time.Second},
		{"a body that does not come", func(conn net.Conn, r *bufio.Reader) {
			_, _ = io.WriteString(conn, head+"Content-Length: 5\r\n\r\nab")
			untilClosed(r)
		}, 2, true, 900 * time.Millisecond, 2500 * time.Millisecond},
		{"a body until the connection is closed, which it is not", func(conn net.Conn, r *bufio.Reader) {
			_, _ = io.WriteString(conn, head+"\r\nab")
			untilClosed(r)
		}, 2, true, 900 * time.Millisecond, 2500 * time.Millisecond},
		{"a body cut short", func(conn net.Conn, r *bufio.Reader) {
			_, _ = io.WriteString(conn, head+"Content-Length: 5\r\n\r\nab")
		}, 2, true, 0, time.Second},
		{"a reset inside the body", func(conn net.Conn, r *bufio.Reader) {
			_, _ = io.WriteString(conn, head+"Content-Length: 70000\r\n\r\n")
			reset(conn)
		}, 0, true, 0, time.Second},
		{"a broken chunk", func(conn net.Conn, r *bufio.Reader) {
			_, _ = io.WriteString(conn, head+"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n")
		}, 2, true, 0, time.Second},
		{"as much as is kept", func(conn net.Conn, r *bufio.Reader) {
			_, _ = io.WriteString(conn, head+"Content-Length: 65536\r\n\r\n"+strings.Repeat("x", 65536))
			untilClosed(r)
		}, 65536, false, 0, time.Second},
		{"one byte more than is kept", func(conn net.Conn, r *bufio.Reader) {
			_, _ = io.WriteString(conn, head+"Content-Length: 65537\r\n\r\n"+strings.Repeat("x", 65537))
			untilClosed(r)
		}, 65536, true, 0, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := newParallelClient(t)
			server := serveRaw(t, func(_ int, conn net.Conn, r *bufio.Reader) {
				if take(r) {
					test.serve(conn, r)
				}
			})
			began := time.Now()
			// The time limit is for the head: it is shorter than the body's second.
			result := post(t, client, server.url, func(r *egress.Request) { r.Timeout = 500 * time.Millisecond })
			took := time.Since(began)
			if result.Failure != "" || result.Response.Status != 200 || result.RetryAfter != "soon" {
				t.Fatalf("result %+v", result)
			}
			if len(result.Response.Body) != test.body || result.Response.Truncated != test.truncated {
				t.Errorf("kept %d bytes, truncated %t", len(result.Response.Body), result.Response.Truncated)
			}
			if took < test.atLeast || took > test.atMost {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestOtherProtocolIsNotSpokenThoughTheReceiverSwitches(t *testing.T) {
	client := newClient(t, nil)
	server := serveRaw(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		take(r)
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		untilClosed(r)
	})
	began := time.Now()
	result := post(t, client, server.url, nil)
	if result.Response.Status != 101 || len(result.Response.Body) != 0 || time.Since(began) > 500*time.Millisecond {
		t.Errorf("%+v after %s", result, time.Since(began))
	}
}

func TestBombStaysCompressed(t *testing.T) {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	if _, err := w.Write(make([]byte, 8<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	accepts := make(chan string, 1)
	client := newClient(t, nil)
	server := serveRaw(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		request, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, request.Body)
		accepts <- request.Header.Get("Accept-Encoding")
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", bomb.Len())
		_, _ = conn.Write(bomb.Bytes())
	})
	result := post(t, client, server.url, nil)
	if got := <-accepts; got != "" {
		t.Errorf("Accept-Encoding: %q was sent", got)
	}
	if !bytes.Equal(result.Response.Body, bomb.Bytes()) {
		t.Errorf("%d bytes were kept of %d sent", len(result.Response.Body), bomb.Len())
	}
}

func TestRedirectIsAnAnswerAndItsLocationIsNeverAsked(t *testing.T) {
	elsewhere, err := receivertest.Start(receivertest.Options{Name: "elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	client := newClient(t, nil)
	for _, status := range []int{300, 301, 302, 303, 307, 308} {
		here, err := receivertest.Start(receivertest.Options{Accepted: receivertest.Answer{Status: status, Header: map[string]string{"Location": elsewhere.URL()}}})
		if err != nil {
			t.Fatal(err)
		}
		result := post(t, client, here.URL(), nil)
		if result.Response.Status != status || here.Len() != 1 {
			t.Errorf("%d: %+v, %d requests", status, result, here.Len())
		}
		client.Close()
		here.Close()
	}
	if n := elsewhere.Len(); n != 0 {
		t.Errorf("the Location was asked %d times", n)
	}
}

func TestRetryAfterIsGivenAsItCame(t *testing.T) {
	client := newClient(t, nil)
	r, err := receivertest.Start(receivertest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	for _, value := range []string{"0", "120", "-1", "99999999999999999999", "Fri, 31 Dec 1999 23:59:59 GMT", "tomorrow", "1.5", ""} {
		r.Script(receivertest.RetryAfter(503, value))
		if result := post(t, client, r.URL(), nil); result.RetryAfter != value || result.Response.Status != 503 {
			t.Errorf("%q: %+v", value, result)
		}
	}
}

func TestInterruptionIsNotTheReceiversFault(t *testing.T) {
	client := newClient(t, nil)
	r, err := receivertest.Start(receivertest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	r.Script(receivertest.Hang())
	ctx, cancel := context.WithCancel(context.Background())
	results := make(chan egress.Result)
	go func() {
		results <- client.Post(ctx, &egress.Request{URL: parse(t, r.URL()), Body: []byte("{}"), Timeout: time.Minute})
	}()
	if err := r.WaitFor(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	if result := <-results; result.Failure != postrider.OutcomeInterrupted || result.Detail == "" {
		t.Errorf("%+v", result)
	}
	if result := client.Post(ctx, &egress.Request{URL: parse(t, r.URL()), Timeout: time.Minute}); result.Failure != postrider.OutcomeInterrupted {
		t.Errorf("a request of a context that had ended: %+v", result)
	}
}

func TestRequestsThatCannotBeMadeAreTheContractsFault(t *testing.T) {
	client := newClient(t, nil)
	for _, test := range []struct {
		url    string
		header postrider.HeaderField
	}{
		{"ftp://127.0.0.1/", postrider.HeaderField{}}, {"http://u:geheim@127.0.0.1/", postrider.HeaderField{}}, {"/x", postrider.HeaderField{}},
		{"http://127.0.0.1/", postrider.HeaderField{Name: "Host", Value: "a"}}, {"http://127.0.0.1/", postrider.HeaderField{Name: "content-length", Value: "1"}},
		{"http://127.0.0.1/", postrider.HeaderField{Name: "TRANSFER-ENCODING", Value: "chunked"}}, {"http://127.0.0.1/", postrider.HeaderField{Name: "Connection", Value: "close"}},
		{"http://127.0.0.1/", postrider.HeaderField{Name: "Expect", Value: "100-continue"}},
		{"http://127.0.0.1/", postrider.HeaderField{Name: "a b", Value: "x"}}, {"http://127.0.0.1/", postrider.HeaderField{Name: "a\r\nb", Value: "x"}},
		{"http://127.0.0.1/", postrider.HeaderField{Name: "a", Value: "geheim\r\nX-Injected: 1"}}, {"http://127.0.0.1/", postrider.HeaderField{Name: "", Value: "x"}},
	} {
		r := &egress.Request{URL: parse(t, test.url), Timeout: time.Second}
		if test.header != (postrider.HeaderField{}) {
			r.Header = append(r.Header, test.header)
		}
		result := client.Post(context.Background(), r)
		if result.Failure != postrider.OutcomeContract || result.Detail == "" || strings.ContainsAny(result.Detail, "\r\n") || strings.Contains(result.Detail, "geheim") {
			t.Errorf("%s %v: %+v", test.url, test.header, result)
		}
	}
	if result := client.Post(context.Background(), &egress.Request{}); result.Failure != postrider.OutcomeContract {
		t.Errorf("no URL: %+v", result)
	}
}

func TestConnectionIsReusedWhenTheBodyEndedInTime(t *testing.T) {
	client := newClient(t, nil)
	big := strings.Repeat("x", 64<<10)
	server := serveRaw(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		for n := 0; take(r); n++ {
			switch n % 4 {
			case 0:
				_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
			case 1:
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			case 2:
				_, _ = io.WriteString(conn, "HTTP/1.1 500 No\r\nContent-Length: 65536\r\n\r\n"+big)
			case 3:
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
			}
		}
	})
	for i := range 40 {
		result := post(t, client, server.url, nil)
		if result.Failure != "" || result.Response.Truncated {
			t.Fatalf("%d: %+v", i, result)
		}
		if i > 0 && cmp.Diff(postrider.Phases{}, result.Phases, cmpopts.IgnoreFields(postrider.Phases{}, "FirstByte")) != "" {
			t.Errorf("%d: phases of a kept connection: %+v", i, result.Phases)
		}
	}
	if n := server.connections.Load(); n != 1 {
		t.Errorf("%d connections for 40 requests", n)
	}
}

// A server's idle time is no failed attempt; and a request that the server has had is not sent twice.
func TestStaleConnectionIsReplacedOnce(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	for _, test := range []struct {
		name     string
		second   func(conn net.Conn, r *bufio.Reader) // what happens to the second request on the first connection
		requests int32                                // that the server has read whole
		failure  postrider.OutcomeCode
	}{
		{"closed as the request arrives", func(conn net.Conn, r *bufio.Reader) { _, _ = r.ReadByte() }, 2, ""},
		{"reset as the request arrives", func(conn net.Conn, r *bufio.Reader) { _, _ = r.ReadByte(); reset(conn) }, 2, ""},
		{"closed at once after the request", func(conn net.Conn, r *bufio.Reader) { take(r) }, 2, ""},
		{"half an answer", func(conn net.Conn, r *bufio.Reader) { take(r); _, _ = io.WriteString(conn, "HTTP/1.1 2") }, 1, postrider.OutcomeReset},
		{"an answer that is not HTTP", func(conn net.Conn, r *bufio.Reader) { take(r); _, _ = io.WriteString(conn, "what\r\n\r\n") }, 1, postrider.OutcomeProtocol},
		{"closed long after the request", func(conn net.Conn, r *bufio.Reader) {
			take(r)
			<-time.After(1200 * time.Millisecond)
		}, 1, postrider.OutcomeReset},
		{"no answer at all", func(conn net.Conn, r *bufio.Reader) { take(r); untilClosed(r) }, 1, postrider.OutcomeTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := newParallelClient(t)
			var answered atomic.Int32
			server := serveRaw(t, func(number int, conn net.Conn, r *bufio.Reader) {
				for n := 1; ; n++ {
					if number == 1 && n == 2 {
						test.second(conn, r)
						return
					}
					if !take(r) {
						return
					}
					answered.Add(1)
					_, _ = io.WriteString(conn, ok)
				}
			})
			limit := func(r *egress.Request) { r.Timeout = 1500 * time.Millisecond }
			if result := post(t, client, server.url, limit); result.Failure != "" {
				t.Fatalf("the first: %+v", result)
			}
			result := post(t, client, server.url, limit)
			if result.Failure != test.failure {
				t.Errorf("the second: %+v", result)
			}
			if n := answered.Load(); n != test.requests {
				t.Errorf("%d requests were answered, want %d", n, test.requests)
			}
			if test.failure == "" && server.connections.Load() != 2 {
				t.Errorf("%d connections", server.connections.Load())
			}
		})
	}
}

// A receiver that hangs up on every second request of a connection gets each webhook at most twice.
func TestStaleConnectionIsNotReplacedForEver(t *testing.T) {
	client := newClient(t, nil)
	var good atomic.Bool
	var bad atomic.Int32
	good.Store(true)
	server := serveRaw(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		for take(r) {
			if !good.Load() {
				bad.Add(1)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	var sending sync.WaitGroup
	for range 8 { // as many kept connections
		sending.Go(func() { post(t, client, server.url, nil) })
	}
	sending.Wait()
	good.Store(false)
	result := post(t, client, server.url, func(r *egress.Request) {
		r.Header = append(r.Header, postrider.HeaderField{Name: "Idempotency-Key", Value: "k"}, postrider.HeaderField{Name: "X-Idempotency-Key", Value: "k"})
	})
	if result.Failure != postrider.OutcomeReset || bad.Load() != 2 {
		t.Errorf("%+v after %d requests", result, bad.Load())
	}
}

func TestBodyBelongsToTheCallerAgainWhenPostReturns(t *testing.T) {
	client := newClient(t, nil)
	server := serveRaw(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		// The answer comes while the request is still being written, and the rest is read afterwards.
		if _, err := r.Peek(1); err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		untilClosed(r)
	})
	body := bytes.Repeat([]byte("a"), 4<<20)
	u := parse(t, server.url)
	for range 5 {
		result := client.Post(context.Background(), &egress.Request{URL: u, Body: body, Timeout: 5 * time.Second})
		if result.Response.Status != 200 && result.Failure != postrider.OutcomeReset {
			t.Fatalf("%+v", result)
		}
		for i := range body { // the race detector watches this
			body[i]++
		}
	}
}

func TestMemoryAndGoroutinesAreBoundedUnderHostileReceivers(t *testing.T) {
	client := newClient(t, nil)
	block := make([]byte, 64<<10)
	server := serveRaw(t, func(number int, conn net.Conn, r *bufio.Reader) {
		if !take(r) {
			return
		}
		text := "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n"
		if number%2 == 0 {
			text = "HTTP/1.1 200 OK\r\nX: "
		}
		_, err := io.WriteString(conn, text)
		for err == nil {
			_, err = conn.Write(block)
		}
	})
	u := parse(t, server.url)
	measure := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := measure()
	results := make(chan egress.Result, 200)
	for range 20 {
		go func() {
			for range 10 {
				results <- client.Post(context.Background(), &egress.Request{URL: u, Timeout: 10 * time.Second})
			}
		}()
	}
	counts := map[string]int{}
	for range 200 {
		result := <-results
		counts[string(result.Failure)+strconv.Itoa(result.Response.Status)]++
	}
	if diff := cmp.Diff(map[string]int{"200": 100, "too_large0": 100}, counts); diff != "" {
		t.Error(diff)
	}
	// 200 answers of 64 KiB would be 13 MB, and were let go.
	if after := measure(); after > before+8<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
}

// The first read of the receiver's has the whole request: it was sent by one system call, in one packet.
func TestSmallRequestIsWrittenInOnePiece(t *testing.T) {
	client := newClient(t, nil)
	var pieces atomic.Int32
	server := serveRaw(t, func(_ int, conn net.Conn, _ *bufio.Reader) {
		read := make([]byte, 64<<10)
		for {
			n, err := conn.Read(read)
			if err != nil {
				return
			}
			if bytes.HasSuffix(read[:n], []byte(`{"id":"evt_1"}`)) {
				_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
			} else {
				pieces.Add(1)
			}
		}
	})
	for range 200 {
		if result := post(t, client, server.url, nil); result.Response.Status != 204 {
			t.Fatalf("%+v", result)
		}
	}
	if n := pieces.Load(); n != 0 {
		t.Errorf("%d of 200 requests came in pieces", n)
	}
}

// A server that was restarted has closed every kept connection; one attempt still arrives.
func TestAllKeptConnectionsMayBeStale(t *testing.T) {
	client := newClient(t, nil)
	var restarted atomic.Bool
	together := make(chan struct{})
	var waiting atomic.Int32
	server := serveRaw(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		old := !restarted.Load()
		for take(r) {
			if old && restarted.Load() {
				return
			}
			if old && waiting.Add(1) == 8 {
				close(together) // so that each request gets a connection of its own
			}
			<-together
			_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		}
	})
	var sending sync.WaitGroup
	for range 8 {
		sending.Go(func() { post(t, client, server.url, nil) })
	}
	sending.Wait()
	restarted.Store(true)
	for i := range 8 {
		if result := post(t, client, server.url, nil); result.Response.Status != 204 {
			t.Errorf("%d: %+v", i, result)
		}
	}
}

// Nothing of a request that was given up goes on behind its back.
func TestGivingUpClosesTheConnectionThatWasBeingMade(t *testing.T) {
	client := newClient(t, nil)
	gone := make(chan struct{}, 2)
	server := serveRaw(t, func(_ int, _ net.Conn, r *bufio.Reader) {
		untilClosed(r)
		gone <- struct{}{}
	})
	for _, scheme := range []string{"https://", "http://"} {
		result := post(t, client, scheme+server.address, func(r *egress.Request) { r.Timeout = 100 * time.Millisecond })
		if result.Failure != postrider.OutcomeTimeout {
			t.Errorf("%+v", result)
		}
		select {
		case <-gone:
		case <-time.After(5 * time.Second):
			t.Errorf("%s: the connection is still open after 5s", scheme)
		}
	}
}

func TestKeptConnectionsAreBoundedAndClosed(t *testing.T) {
	const kept, asked = 2, 8
	client := newClient(t, func(o *egress.Options) { o.MaxIdleConnsPerHost = kept })
	var arrived atomic.Int32
	together := make(chan struct{})
	closed := make(chan struct{}, asked)
	server := serveRaw(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		for take(r) {
			if arrived.Add(1) == asked {
				close(together)
			}
			<-together
			_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		}
		closed <- struct{}{}
	})
	var sending sync.WaitGroup
	for range asked {
		sending.Go(func() { post(t, client, server.url, nil) })
	}
	sending.Wait()
	for range asked - kept {
		<-closed
	}
	select {
	case <-closed:
		t.Error("fewer connections were kept than may be")
	default:
	}
	client.Close()
	for range kept {
		<-closed
	}
}
