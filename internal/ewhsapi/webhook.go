package ewhsapi

import (
	"net/http"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/control"
)

// shown is a webhook as answers show it. HashSecret is there only in the answer to its registration.
type shown struct {
	ID         string `json:"id"`
	URL        string `json:"url"`
	Group      string `json:"group"`
	Action     string `json:"action"`
	Customer   string `json:"customer"`
	HashSecret string `json:"hash_secret,omitempty"`
	Topic      string `json:"topic"`
	CreatedAt  string `json:"created_at"`
	ModifiedAt string `json:"modified_at"`
}

// timeForm is how the reference writes times: 2022-02-11T17:45:01+0000.
const timeForm = "2006-01-02T15:04:05-0700"

func show(e *postrider.Endpoint) shown {
	group, action := groupAndAction(e.Topics)
	out := shown{
		ID: e.ID.UUID(), URL: e.URL, Group: group, Action: action, Customer: e.Tenant.UUID(),
		CreatedAt: e.CreatedAt.UTC().Format(timeForm), ModifiedAt: e.UpdatedAt.UTC().Format(timeForm),
	}
	if len(e.Topics) > 0 {
		out.Topic = string(e.Topics[0])
	}
	return out
}

// wanted is what a body says of a webhook; nil where it says nothing.
type wanted struct{ url, group, action, secret *string }

// readWebhook reads a body, wrapped or flat, of which all but the secret is needed when whole. The
// seed's "ulr" is url (A002-1); a hash_secret may be called secret (A002-4).
func readWebhook(w http.ResponseWriter, r *http.Request, whole bool) (wanted, error) {
	body, err := readBody(w, r)
	if err != nil {
		return wanted{}, err
	}
	if body, err = unwrap(body); err != nil {
		return wanted{}, err
	}
	var faults postrider.Faults
	said, err := decode(&faults, body,
		[]string{"url", "ulr", "group", "action", "hash_secret", "secret"},
		[]string{"id", "customer", "topic", "created_at", "modified_at"})
	if err != nil {
		return wanted{}, err
	}
	out := wanted{
		url: merge(&faults, said, "url", "ulr"), group: said.given("group"), action: said.given("action"),
		secret: merge(&faults, said, "hash_secret", "secret"),
	}
	if out.secret != nil && *out.secret == "" {
		faults.Add("hash_secret", "cannot be empty; leave it out to have one made, or to keep the one in force")
	}
	if whole {
		if text(out.url) == "" {
			faults.Add("url", "is required, such as \"https://example.com/webhooks\"")
		}
		checkTopic(&faults, text(out.group), text(out.action))
	}
	return out, faults.Err()
}

func (h *Handler) register(w http.ResponseWriter, r *http.Request, c *call) error {
	asked, err := readWebhook(w, r, true)
	if err != nil {
		return err
	}
	in := control.Registration{
		Tenant: c.tenant, URL: *asked.url, Topics: asked.topics(), Contract: contractName, Secret: postrider.NewSecret(text(asked.secret)),
	}
	webhook, generated, err := h.parts.Webhooks.RegisterWebhook(r.Context(), c.principal, in)
	if other, known := otherIsKnown(in.Topics, err); known {
		in.Topics = other
		webhook, generated, err = h.parts.Webhooks.RegisterWebhook(r.Context(), c.principal, in)
	}
	if err != nil {
		return err
	}
	out := show(webhook)
	if out.HashSecret = text(asked.secret); out.HashSecret == "" {
		out.HashSecret = generated.Reveal() // shown this once
	}
	w.Header().Set("Location", "/webhooks/"+out.ID+"/")
	write(w, http.StatusCreated, out)
	return nil
}

func (h *Handler) show(w http.ResponseWriter, r *http.Request, c *call) error {
	webhook, err := h.find(r, c)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, show(webhook))
	return nil
}

// patch changes what the body names.
func (h *Handler) patch(w http.ResponseWriter, r *http.Request, c *call) error {
	asked, err := readWebhook(w, r, false)
	if err != nil {
		return err
	}
	return h.revise(w, r, c, asked, func(now *postrider.Endpoint) ([]postrider.Topic, error) {
		if asked.group == nil && asked.action == nil {
			return nil, nil
		}
		group, action := groupAndAction(now.Topics)
		group, action = textOr(asked.group, group), textOr(asked.action, action)
		var faults postrider.Faults
		checkTopic(&faults, group, action)
		return spellings(group, action), faults.Err()
	})
}

// put replaces the whole webhook but for a secret that the body does not name: no answer shows it again,
// so that a client could not send it back.
func (h *Handler) put(w http.ResponseWriter, r *http.Request, c *call) error {
	asked, err := readWebhook(w, r, true)
	if err != nil {
		return err
	}
	return h.revise(w, r, c, asked, func(*postrider.Endpoint) ([]postrider.Topic, error) { return asked.topics(), nil })
}

// topics are those of a whole body.
func (a wanted) topics() []postrider.Topic { return spellings(*a.group, *a.action) }

// change is what the body says of URL and secret.
func (a wanted) change() control.Change {
	out := control.Change{URL: a.url}
	if a.secret != nil {
		secret := postrider.NewSecret(*a.secret)
		out.Secret = &secret
	}
	return out
}

// revise changes the webhook of the path; topicsOf gives nil where they stay.
func (h *Handler) revise(w http.ResponseWriter, r *http.Request, c *call, asked wanted, topicsOf func(now *postrider.Endpoint) ([]postrider.Topic, error)) error {
	id, err := c.webhookID()
	if err != nil {
		return err
	}
	var topics []postrider.Topic
	decide := func(now *postrider.Endpoint) (change control.Change, err error) {
		if now.Contract != contractName {
			return change, c.noWebhook()
		}
		change = asked.change()
		if topics, err = topicsOf(now); topics != nil {
			change.Topics = &topics
		}
		return change, err
	}
	webhook, err := h.parts.Webhooks.ReviseWebhook(r.Context(), c.principal, c.tenant, id, decide)
	if other, known := otherIsKnown(topics, err); known {
		topicsOf = func(*postrider.Endpoint) ([]postrider.Topic, error) { return other, nil }
		webhook, err = h.parts.Webhooks.ReviseWebhook(r.Context(), c.principal, c.tenant, id, decide)
	}
	if err != nil {
		return c.missing(err)
	}
	write(w, http.StatusOK, show(webhook))
	return nil
}

func (h *Handler) remove(w http.ResponseWriter, r *http.Request, c *call) error {
	webhook, err := h.find(r, c)
	if err != nil {
		return err
	}
	if _, err := h.parts.Webhooks.DeleteWebhook(r.Context(), c.principal, c.tenant, webhook.ID); err != nil {
		return c.missing(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// find gives the webhook of the path.
func (h *Handler) find(r *http.Request, c *call) (*postrider.Endpoint, error) {
	id, err := c.webhookID()
	if err != nil {
		return nil, err
	}
	webhook, err := h.parts.Webhooks.FindWebhook(r.Context(), c.principal, c.tenant, id)
	if err != nil {
		return nil, c.missing(err)
	}
	if webhook.Contract != contractName {
		return nil, c.noWebhook()
	}
	return webhook, nil
}

func (c *call) webhookID() (postrider.EndpointID, error) {
	id, ok := postrider.ParseUUID(c.webhook)
	if !ok {
		return postrider.EndpointID{}, c.noWebhook()
	}
	return postrider.EndpointID{ID: id}, nil
}

func (c *call) noWebhook() error {
	return postrider.Errorf(postrider.CodeNotFound, "There is no webhook %q.", bounded(c.webhook))
}

// missing words "not found" in this API's ids.
func (c *call) missing(err error) error {
	if postrider.ErrorCode(err) == postrider.CodeNotFound {
		return c.noWebhook()
	}
	return err
}

func text(said *string) string { return textOr(said, "") }

func textOr(said *string, other string) string {
	if said == nil {
		return other
	}
	return *said
}

// made is when a webhook was registered, to the second, as answers show it.
func made(e *postrider.Endpoint) time.Time { return e.CreatedAt.UTC().Truncate(time.Second) }
