package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/contract"
)

// previewOptions are the flags of `contract preview`.
type previewOptions struct {
	event       string
	secret      string
	url         string
	environment string
}

func newContractPreview(t *Terminal) *cobra.Command {
	var o previewOptions
	c := &cobra.Command{
		Use:   "preview NAME|FILE",
		Short: "Show the exact request that a contract makes of an event",
		Long: `Show the exact request that a contract makes of an event: every header and the very bytes of the body.

The event is a sample, or a file as it would be published to /v1/events. Nothing is sent.`,
		Example: `  postrider contract preview xemelgo
  postrider contract preview my-contract.yaml --event event.json --secret whsec_…
  echo '{"type": "order.created", "data": {"id": 17}}' | postrider contract preview generic --event -`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error { return preview(t, args[0], o) },
	}
	c.Flags().StringVar(&o.event, "event", "", "`file` of one event as it would be published; - reads standard input")
	c.Flags().StringVar(&o.secret, "secret", "", "signing `secret` (default: an example that suits the contract)")
	c.Flags().StringVar(&o.url, "endpoint", "https://example.com/webhooks", "`URL` of the endpoint")
	c.Flags().StringVar(&o.environment, "environment", string(postrider.Production), "`environment` of event and endpoint: production or sandbox")
	return c
}

func preview(t *Terminal, name string, o previewOptions) error {
	c, err := findContract(name)
	if err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	endpoint, err := previewEndpoint(c, o, now)
	if err != nil {
		return err
	}
	event, err := previewEvent(t, o, now)
	if err != nil {
		return err
	}
	renderer, err := c.NewRenderer(endpoint)
	if err != nil {
		return err
	}
	var request contract.Request
	if err := renderer.Render(&request, event, now); err != nil {
		return err
	}
	return printRequest(t.Out, endpoint, &request)
}

func previewEndpoint(c *contract.Contract, o previewOptions, now time.Time) (*postrider.Endpoint, error) {
	environment := postrider.Environment(o.environment)
	if err := environment.Validate(); err != nil {
		return nil, badUsage(err)
	}
	secret := postrider.NewSecret(o.secret)
	if o.secret == "" {
		secret = exampleSecret(c)
	}
	if err := c.CheckSecret(secret); err != nil {
		return nil, badUsagef("--secret: %w", err)
	}
	return &postrider.Endpoint{
		ID: postrider.NewEndpointID(now), Environment: environment, URL: o.url, Topics: []postrider.Topic{"*"},
		Contract: c.Name(), State: postrider.EndpointEnabled, Secrets: []postrider.Secret{secret}, CreatedAt: now, UpdatedAt: now,
	}, nil
}

// exampleSecret is a secret that everybody knows, of the form that the contract wants.
func exampleSecret(c *contract.Contract) postrider.Secret {
	text := postrider.NewSecret("an-example-secret-that-everybody-knows")
	if c.CheckSecret(text) == nil {
		return text
	}
	if generated, err := c.GenerateSecret(repeating("example!")); err == nil {
		return generated
	}
	return text
}

// repeating reads the same text again and again.
type repeating string

func (r repeating) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r[i%len(r)]
	}
	return len(p), nil
}

const sampleEvent = `{"type":"order.created","data":{"object":{"id":"ord_17","total":"12.50","currency":"EUR"}}}`

func previewEvent(t *Terminal, o previewOptions, now time.Time) (*postrider.Event, error) {
	source := []byte(sampleEvent)
	var err error
	switch o.event {
	case "":
	case "-":
		source, err = readBounded(t.In, "standard input")
	default:
		source, err = readFile(o.event)
	}
	if err != nil {
		return nil, err
	}
	var given api.EventCreate
	decoder := json.NewDecoder(bytes.NewReader(source))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&given); err != nil {
		return nil, postrider.Errorf(postrider.CodeInvalid, "the event is not as it would be published, {\"type\": …, \"data\": …}: %w", err)
	}
	event := &postrider.Event{
		ID: postrider.NewEventID(now), GivenID: given.ID, Environment: postrider.Environment(o.environment),
		Topic: postrider.Topic(given.Type), OccurredAt: now, AcceptedAt: now, Data: given.Data, Previous: given.PreviousData,
	}
	if given.OccurredAt != nil {
		event.OccurredAt = given.OccurredAt.UTC().Truncate(time.Millisecond)
	}
	var faults postrider.Faults
	faults.AddError("type", event.Topic.Validate())
	if given.ID != "" {
		faults.AddError("id", postrider.ValidateGivenID(given.ID))
	}
	if len(given.Data) == 0 {
		faults.Add("data", "is required")
	}
	return event, faults.Err()
}

// printRequest prints the request as it goes over an HTTP/1.1 connection, with plain newlines.
func printRequest(w io.Writer, endpoint *postrider.Endpoint, request *contract.Request) error {
	u, err := url.Parse(endpoint.URL)
	if err != nil || u.Host == "" {
		return badUsagef("--endpoint: %q is not a URL", endpoint.URL)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "POST %s HTTP/1.1\nHost: %s\n", u.RequestURI(), u.Host)
	for _, field := range request.Header {
		fmt.Fprintf(&out, "%s: %s\n", field.Name, field.Value)
	}
	out.WriteString("User-Agent: Postrider\n")
	out.WriteString("Content-Length: " + strconv.Itoa(len(request.Body)) + "\n\n")
	out.Write(request.Body)
	out.WriteByte('\n')
	_, err = w.Write(out.Bytes())
	return err
}
