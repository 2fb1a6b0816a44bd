package egress_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/egress"
)

// The benchmarks below stand for the same work: a signed 1 KB webhook to a receiver that answers
// with a few bytes, over kept connections. Compare them within one run:
//
//	go test -bench Post -benchmem -count 5 ./internal/egress
func BenchmarkPost(b *testing.B) {
	body := []byte(strings.Repeat(`{"a":1}`, 146))
	address := sink(b)
	u := "http://" + address + "/webhooks"
	fields := []postrider.HeaderField{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "webhook-id", Value: "evt_01h455vb4pex5vsknk084sn02q"},
		{Name: "webhook-timestamp", Value: "1763740800"},
		{Name: "X-Webhook-Signature", Value: strings.Repeat("0f", 32)},
	}
	b.Run("egress", func(b *testing.B) {
		client, err := egress.New(egress.Options{AllowPrivate: true})
		if err != nil {
			b.Fatal(err)
		}
		defer client.Close()
		target, err := egress.CheckURL(u, false, true)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			r := egress.Request{URL: target, Header: fields, Body: body, Timeout: 5 * time.Second}
			for pb.Next() {
				if result := client.Post(context.Background(), &r); result.Response.Status != 200 {
					b.Error(result)
					return
				}
			}
		})
	})
	b.Run("credentials", func(b *testing.B) {
		client, err := egress.New(egress.Options{AllowPrivate: true})
		if err != nil {
			b.Fatal(err)
		}
		defer client.Close()
		target, err := egress.CheckURL(u, false, true)
		if err != nil {
			b.Fatal(err)
		}
		asked, err := egress.NewCredentials(&postrider.EndpointAuth{
			Basic:   &postrider.BasicAuth{Username: "user", Password: postrider.NewSecret("a password")},
			Headers: []postrider.SecretHeader{{Name: "X-Api-Key", Value: postrider.NewSecret("a key of some length")}},
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			r := egress.Request{URL: target, Header: fields, Body: body, Timeout: 5 * time.Second, Credentials: asked}
			for pb.Next() {
				if result := client.Post(context.Background(), &r); result.Response.Status != 200 {
					b.Error(result)
					return
				}
			}
		})
	})
	b.Run("plain", func(b *testing.B) {
		transport := &http.Transport{MaxIdleConnsPerHost: 64}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
		b.ReportAllocs()
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, u, bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				for _, f := range fields {
					request.Header.Set(f.Name, f.Value)
				}
				response, err := client.Do(request)
				if err != nil {
					b.Error(err)
					return
				}
				if _, err = io.ReadAll(io.LimitReader(response.Body, 64<<10)); err != nil {
					b.Error(err)
				}
				_ = response.Body.Close()
			}
		})
	})
}

// sink answers 200 and costs little.
func sink(b *testing.B) string {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"received":true}`)
	})}
	done := make(chan struct{})
	go func() { _ = server.Serve(listener); close(done) }()
	b.Cleanup(func() { _ = server.Close(); <-done })
	return listener.Addr().String()
}
