package deliver

import (
	"net/url"
	"time"

	"golang.org/x/time/rate"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/egress"
)

// target is an endpoint made ready for sending: all that can be worked out once per configuration.
type target struct {
	endpoint    *postrider.Endpoint
	contract    *contract.Contract
	renderer    *contract.Renderer
	credentials *egress.Credentials // nil: the endpoint asks for nothing beside the signature
	url         *url.URL
	maxInFlight int
	fault       string // why no request can be made; "" when all is well
}

// newTarget never fails: an endpoint that cannot be sent to has its fault recorded in every attempt,
// where whoever asks will see it. The target before it, or nil, hands on its credentials when what the
// endpoint asks for stays the same: they hold a token that may be good for hours.
func newTarget(endpoint *postrider.Endpoint, contracts *contract.Set, inFlight int, before *target) *target {
	t := &target{endpoint: endpoint, maxInFlight: inFlight}
	c, found := contracts.Find(endpoint.Contract)
	if !found {
		t.fault = "the contract " + endpoint.Contract + " is not known any more; choose another for this webhook"
		return t
	}
	t.contract = c
	if n := c.MaxInFlight(); n > 0 {
		t.maxInFlight = n
	}
	if endpoint.MaxInFlight > 0 {
		t.maxInFlight = endpoint.MaxInFlight
	}
	var err error
	if t.url, err = url.Parse(endpoint.URL); err != nil {
		t.fault = "the webhook's url cannot be read; correct it"
		return t
	}
	if t.renderer, err = c.NewRenderer(endpoint); err != nil {
		t.fault = "the request cannot be made: " + err.Error()
		return t
	}
	if before != nil && before.fault == "" && before.endpoint.Auth.Equal(&endpoint.Auth) {
		t.credentials = before.credentials
	} else if t.credentials, err = egress.NewCredentials(&endpoint.Auth); err != nil {
		t.fault = "the request cannot be made: auth.client_certificate: " + err.Error()
	}
	return t
}

func (t *target) limiter() *rate.Limiter {
	if t.endpoint.RateLimit <= 0 {
		return nil
	}
	burst := t.endpoint.RateBurst
	if burst <= 0 {
		burst = max(1, int(t.endpoint.RateLimit))
	}
	return rate.NewLimiter(rate.Limit(t.endpoint.RateLimit), burst)
}

// faultRetry spaces attempts that fail for a contract that is not there, which has no schedule to ask.
const faultRetry = time.Hour
