package control

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
)

// The bounds of a webhook.
const (
	MaxTopics      = 100
	MaxDescription = 500  // characters
	MaxSecret      = 1024 // bytes
	MaxInFlight    = 1000
	MaxRate        = 100_000 // requests a second
	MaxBurst       = 100_000
)

// aspects says which of a webhook's costlier rules are to be checked: those whose inputs change, so
// that a webhook registered under other rules can still be paused.
type aspects struct{ url, topics, secrets, auth, newAuth bool }

// checkWebhook notes everything that is wrong with a webhook as it would be written, and gives its
// contract when that is known. A webhook without secrets asks for a generated one.
func (c *Control) checkWebhook(faults *postrider.Faults, webhook *postrider.Endpoint, check aspects) *contract.Contract {
	terms, found := c.terms(faults, webhook.Contract)
	if check.url {
		c.checkURL(faults, webhook, terms)
	}
	if check.topics {
		c.checkTopics(faults, webhook.Topics)
	}
	if check.secrets && found {
		checkSecrets(faults, webhook.Secrets, terms)
		if webhook.Rotation != nil {
			checkSecrets(faults, []postrider.Secret{webhook.Rotation.Next}, terms)
		}
	}
	if check.auth {
		c.checkAuth(faults, webhook, terms, check.newAuth)
	}
	if n := utf8.RuneCountInString(webhook.Description); n > MaxDescription {
		faults.Add("description", "has at most %d characters; this one has %d", MaxDescription, n)
	}
	if n := webhook.MaxInFlight; n < 0 || n > MaxInFlight {
		faults.Add("max_in_flight", "is between 1 and %d, or 0 for the default; this one is %d", MaxInFlight, n)
	}
	// The comparisons are written so that NaN, which is neither, fails them.
	if r := webhook.RateLimit; !(r >= 0 && r <= MaxRate) {
		faults.Add("rate_limit", "is between 0 (no limit) and %d requests a second", MaxRate)
	}
	if n := webhook.RateBurst; n < 0 || n > MaxBurst {
		faults.Add("rate_burst", "is between 0 (one second's worth) and %d", MaxBurst)
	}
	return terms
}

func (c *Control) checkURL(faults *postrider.Faults, webhook *postrider.Endpoint, terms *contract.Contract) {
	if webhook.URL == "" {
		faults.Add("url", "is required, such as https://example.com/webhooks")
		return
	}
	requireHTTPS := terms != nil && terms.RequiresHTTPS(webhook.Environment)
	faults.AddError("url", c.parts.CheckURL(webhook.URL, requireHTTPS))
}

func (c *Control) checkTopics(faults *postrider.Faults, topics []postrider.Topic) {
	known := c.topics.current.Load() // the verbs that change topics have read it
	switch {
	case len(topics) == 0:
		faults.Add("events", "at least one event type is needed, such as \"order.created\"; \"*\" takes all")
	case len(topics) > MaxTopics:
		faults.Add("events", "has at most %d event types; this one has %d", MaxTopics, len(topics))
	default:
		for i, topic := range topics {
			field := "events[" + strconv.Itoa(i) + "]"
			if err := topic.ValidatePattern(); err != nil {
				faults.AddError(field, err)
			} else if known != nil && !known.takes(topic) {
				faults.Add(field, "%s is not in the catalogue of topics, which is closed; GET /v1/topics lists it", quote(string(topic)))
			}
		}
	}
}

func checkSecrets(faults *postrider.Faults, secrets []postrider.Secret, terms *contract.Contract) {
	if len(secrets) == 0 {
		if terms.SecretSuppliedByTenant() {
			faults.Add("secret", "is required by the contract %q", terms.Name())
		}
		return
	}
	for _, secret := range secrets {
		if n := len(secret.Reveal()); n > MaxSecret {
			faults.Add("secret", "has at most %d bytes; this one has %d", MaxSecret, n)
			continue
		}
		faults.AddError("secret", terms.CheckSecret(secret))
	}
}

// distinct drops topics that are there already, and keeps the order. A list that is far over the
// bound is left as it is, to be refused.
func distinct(topics []postrider.Topic) []postrider.Topic {
	if len(topics) > 10*MaxTopics {
		return topics
	}
	seen := make(map[postrider.Topic]bool, len(topics))
	kept := make([]postrider.Topic, 0, len(topics))
	for _, topic := range topics {
		if !seen[topic] {
			seen[topic] = true
			kept = append(kept, topic)
		}
	}
	return kept
}

// list names things for a person: `"a", "b"`.
func list(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, ", ")
}
