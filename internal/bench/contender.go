package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/postrider/postrider"
)

// contender is one side of a comparison.
type contender struct {
	label   string
	product bool // else the relay
	batch   int  // events in a publish request; 0: as the scenario says
	history int  // finished events in the product's store before it starts
	dead    int  // undelivered events of a dead endpoint beside the live one
}

// server is a contender that runs.
type server struct {
	url     string
	key     postrider.Secret // to publish to the live endpoints
	deadKey postrider.Secret // to publish to the dead endpoint
	pid     int
	pprof   string // address of the product's profiles; "" when none are wanted
	stop    func()
}

// Topics and tenants of the benchmark's endpoints.
const (
	liveTopic  = "bench.event"
	deadTopic  = "bench.dead"
	deadTenant = "bench-dead"
)

// credentials are made anew for each run of the benchmark.
type credentials struct {
	operator, publisher, deadPublisher, signing postrider.Secret
}

func newCredentials() credentials {
	secret := func() postrider.Secret { return postrider.NewSecret(rand.Text() + rand.Text()) }
	return credentials{operator: secret(), publisher: secret(), deadPublisher: secret(), signing: secret()}
}

// start starts a contender that delivers to fanout endpoints of the sink, the product on the data folder.
func (b *benchmark) start(ctx context.Context, c contender, fanout int, data string) (*server, error) {
	if b.startOther != nil {
		return b.startOther(ctx, c, b.hooks(fanout))
	}
	if c.product {
		return b.startProduct(ctx, fanout, data)
	}
	return b.startRelay(ctx, fanout)
}

// hooks are the URLs of the sink's endpoints.
func (b *benchmark) hooks(fanout int) []string {
	hooks := make([]string, fanout)
	for i := range hooks {
		hooks[i] = b.sinkURL + "/hook/" + strconv.Itoa(i)
	}
	return hooks
}

func (b *benchmark) startRelay(ctx context.Context, fanout int) (*server, error) {
	args := []string{"bench", "relay"}
	for _, hook := range b.hooks(fanout) {
		args = append(args, "--target", hook)
	}
	process, err := startChild(childSpec{name: "relay", path: b.executable, args: args,
		env: []string{secretVariable + "=" + b.credentials.signing.Reveal()}})
	if err != nil {
		return nil, err
	}
	var address serverAddress
	if err := process.ready(ctx, &address); err != nil {
		process.stop()
		return nil, err
	}
	return &server{url: address.URL, pid: process.pid(), stop: process.stop}, nil
}

func (b *benchmark) startProduct(ctx context.Context, fanout int, data string) (*server, error) {
	bootstrap := filepath.Join(data, "..", filepath.Base(data)+".bootstrap.yaml")
	if err := b.writeBootstrap(bootstrap, fanout); err != nil {
		return nil, err
	}
	var err error
	for range 3 { // the port was free a moment ago; another program may have been quicker
		var s *server
		if s, err = b.tryProduct(ctx, data, bootstrap); err == nil {
			return s, nil
		}
	}
	return nil, err
}

func (b *benchmark) tryProduct(ctx context.Context, data, bootstrap string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &server{url: "http://" + address, key: b.credentials.publisher, deadKey: b.credentials.deadPublisher}
	args := []string{"serve", "--listen", address, "--data", data, "--dev"}
	if b.options.ProfileFolder != "" {
		if s.pprof, err = freeAddress(); err != nil {
			return nil, err
		}
		args = append(args, "--pprof", s.pprof)
	}
	process, err := startChild(childSpec{name: "product", path: b.executable, args: args, env: []string{
		"POSTRIDER_OPERATOR_KEY=" + b.credentials.operator.Reveal(), "POSTRIDER_BOOTSTRAP_FILE=" + bootstrap,
	}})
	if err != nil {
		return nil, err
	}
	s.pid, s.stop = process.pid(), process.stop
	if err := b.awaitReady(ctx, process, s.url); err != nil {
		process.stop()
		return nil, err
	}
	return s, nil
}

// awaitReady asks for /readyz until it is answered 200.
func (b *benchmark) awaitReady(ctx context.Context, process *child, url string) error {
	ctx, cancel := context.WithTimeout(ctx, startGrace)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := b.call(ctx, http.MethodGet, url+"/readyz", nil); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-process.exited:
			return process.failure("ended before it was ready")
		case <-ctx.Done():
			return process.failure("was not ready in time")
		}
	}
}

// writeBootstrap writes the product's tenants, keys and endpoints. JSON is YAML.
func (b *benchmark) writeBootstrap(path string, fanout int) error {
	type object = map[string]any
	endpoint := func(tenant, url, topic string) object {
		return object{"tenant": tenant, "url": url, "events": []string{topic}, "contract": "generic", "secret": b.credentials.signing.Reveal()}
	}
	key := func(tenant string, text postrider.Secret) object {
		return object{"tenant": tenant, "role": postrider.RolePublisher, "name": "bench", "key": text.Reveal()}
	}
	var endpoints []object
	for _, hook := range b.hooks(fanout) {
		endpoints = append(endpoints, endpoint(postrider.DefaultTenant, hook, liveTopic))
	}
	endpoints = append(endpoints, endpoint(deadTenant, b.deadURL+"/hook", deadTopic))
	text, err := json.MarshalIndent(object{
		"tenants":   []object{{"name": deadTenant}},
		"keys":      []object{key(postrider.DefaultTenant, b.credentials.publisher), key(deadTenant, b.credentials.deadPublisher)},
		"endpoints": endpoints,
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// freeAddress finds a port of loopback that nothing listens on.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// call makes a small request to the sink or the product and decodes the JSON answer, if into is not nil.
func (b *benchmark) call(ctx context.Context, method, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return err
	}
	response, err := b.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: status %d", method, url, response.StatusCode)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(into)
}

// layData makes a data folder for a contender; with history it is filled through the store, in a
// process of its own, after the product has laid it out.
func (b *benchmark) layData(ctx context.Context, c contender, fanout int) (folder string, err error) {
	parent, err := os.MkdirTemp(b.options.Temp, "postrider-bench-")
	if err != nil {
		return "", err
	}
	folder = filepath.Join(parent, "data")
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(parent))
		}
	}()
	if c.history == 0 {
		return folder, nil
	}
	layout, err := b.startProduct(ctx, fanout, folder)
	if err != nil {
		return "", err
	}
	layout.stop()
	process, err := startChild(childSpec{name: "preload", path: b.executable, args: []string{"bench", "preload",
		"--data", folder, "--events", strconv.Itoa(c.history), "--size", strconv.Itoa(b.options.Size)}})
	if err != nil {
		return "", err
	}
	defer process.stop()
	var done preloaded
	if err := process.result(ctx, &done); err != nil {
		return "", err
	}
	b.say("history of %d events laid in %s", done.Events, done.Took.Round(time.Millisecond))
	return folder, nil
}
