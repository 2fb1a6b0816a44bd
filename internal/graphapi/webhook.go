package graphapi

import (
	"slices"
	"strings"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/store"
)

const (
	// contractName is the contract of every webhook that is seen and made here: seed 000.
	contractName = "xemelgo"
	idPrefix     = "webhook-"
	restPrefix   = "wh_"
)

// webhookID is a webhook's id as this tongue shows it: "webhook-" and the text that REST has behind
// "wh_" (001.10).
func webhookID(id postrider.EndpointID) string {
	return idPrefix + strings.TrimPrefix(id.String(), restPrefix)
}

// webhookFields are the fields of everything that is about webhooks.
func webhookFields() resolvers {
	payload := map[string]resolver{"webhook": of(func(e *postrider.Endpoint) any { return e })}
	return resolvers{
		"Query": {
			"webhooks": listWebhooks, "webhook": findWebhook, "webhookDeliveries": listDeliveries,
			"__schema": schemaField, "__type": typeField,
		},
		"Mutation": {
			"registerWebhook": registerWebhook, "unregisterWebhook": unregisterWebhook, "updateWebhook": updateWebhook,
			"rotateWebhookSecret": rotateSecret, "activateWebhookSecret": activateSecret, "triggerWebhookTestEvent": triggerTest,
		},
		"WebhooksPayload": {"webhooks": of(func(webhooks []*postrider.Endpoint) any {
			list := make([]any, len(webhooks))
			for i, webhook := range webhooks {
				list[i] = webhook
			}
			return list
		})},
		"RegisterWebhookPayload":       payload,
		"UnregisterWebhookPayload":     payload,
		"UpdateWebhookPayload":         payload,
		"RotateWebhookSecretPayload":   payload,
		"ActivateWebhookSecretPayload": payload,
		"WebhookSubscription": {
			"id":       of(func(e *postrider.Endpoint) any { return webhookID(e.ID) }),
			"endpoint": of(func(e *postrider.Endpoint) any { return e.URL }),
			"topics": of(func(e *postrider.Endpoint) any {
				topics := make([]any, len(e.Topics))
				for i, topic := range e.Topics {
					topics[i] = string(topic)
				}
				return topics
			}),
			"creationDate": of(func(e *postrider.Endpoint) any { return e.CreatedAt.UnixMilli() }),
			"status":       of(func(e *postrider.Endpoint) any { return strings.ToUpper(string(e.State)) }),
			"secretInUse": func(r *run, source any, _ arguments) (any, error) {
				return strings.ToUpper(string(r.handler.parts.Webhooks.SignsWith(source.(*postrider.Endpoint)))), nil
			},
			"secretOverlapEndDate": func(r *run, source any, _ arguments) (any, error) {
				if rotation := r.handler.parts.Webhooks.RotationOf(source.(*postrider.Endpoint)); rotation != nil {
					return moment(rotation.Until), nil
				}
				return nil, nil
			},
		},
		"TriggerWebhookTestEventPayload": {
			"webhook":   of(func(t *control.Trial) any { return t.Webhook }),
			"eventId":   of(func(t *control.Trial) any { return t.Event.ID.UUID() }),
			"topic":     of(func(t *control.Trial) any { return string(t.Event.Topic) }),
			"delivered": of(func(t *control.Trial) any { return t.Attempt.Outcome.Kind == postrider.OutcomeSuccess }),
			"statusCode": of(func(t *control.Trial) any {
				if t.Attempt.Response.Status == 0 {
					return nil
				}
				return int64(t.Attempt.Response.Status)
			}),
			"outcome":  of(func(t *control.Trial) any { return string(t.Attempt.Outcome.Code) }),
			"detail":   of(func(t *control.Trial) any { return orNull(t.Attempt.Outcome.Detail) }),
			"duration": of(func(t *control.Trial) any { return t.Attempt.Duration.Milliseconds() }),
		},
	}
}

// listWebhooks gives all of the account's webhooks, the oldest first (001.12, 001.14). Paused and
// disabled ones are registered too. Asked twice in one operation, the store is asked once.
func listWebhooks(r *run, _ any, _ arguments) (any, error) {
	if r.listed {
		return r.webhooks, nil
	}
	environment, err := r.principal.In("")
	if err != nil {
		return nil, err
	}
	webhooks := []*postrider.Endpoint{}
	filter := store.EndpointFilter{Environment: environment, Contract: contractName, Limit: control.MaxPage}
	for {
		some, more, err := r.handler.parts.Webhooks.Webhooks(r.ctx, r.principal, "", filter)
		if err != nil {
			return nil, err
		}
		webhooks = append(webhooks, some...)
		if !more || len(some) == 0 {
			break
		}
		filter.After = some[len(some)-1].ID
	}
	slices.SortStableFunc(webhooks, func(a, b *postrider.Endpoint) int { return a.CreatedAt.Compare(b.CreatedAt) })
	r.webhooks, r.listed = webhooks, true
	return webhooks, nil
}

func findWebhook(r *run, _ any, args arguments) (any, error) {
	return whenFound(r.find(args, "id"))
}

// whenFound keeps a nil *Endpoint from becoming a value that is not nil.
func whenFound(webhook *postrider.Endpoint, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return webhook, nil
}

// find looks for the webhook that an argument names. One of another account, another environment or
// another tongue is as unknown as one that never was (A001-17).
func (r *run) find(args arguments, name string) (*postrider.Endpoint, error) {
	given, _ := args.text(name)
	unknown := postrider.Errorf(postrider.CodeNotFound, "There is no such webhook.")
	if idShaped(given) {
		unknown.Message = "Webhook \"" + given + "\" does not exist."
	}
	id, err := postrider.ParseEndpointID(restPrefix + strings.TrimPrefix(given, idPrefix))
	if !strings.HasPrefix(given, idPrefix) || err != nil {
		id = postrider.EndpointID{} // asked for all the same, so that the role is judged first
	}
	environment, err := r.principal.In("")
	if err != nil {
		return nil, err
	}
	webhook, err := r.handler.parts.Webhooks.FindWebhook(r.ctx, r.principal, "", id)
	if postrider.ErrorCode(err) == postrider.CodeNotFound {
		return nil, unknown
	}
	if err != nil {
		return nil, err
	}
	if webhook.Contract != contractName || webhook.Environment != environment {
		return nil, unknown
	}
	return webhook, nil
}

// idShaped reports whether a text looks like an id, so that it may be shown again: a secret in the
// wrong place must not be.
func idShaped(text string) bool {
	rest, found := strings.CutPrefix(text, idPrefix)
	return found && len(rest) <= 40 && strings.Trim(rest, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

func registerWebhook(r *run, _ any, args arguments) (any, error) {
	input := args.object("input")
	topics, _, err := input.texts("topics")
	if err != nil {
		return nil, err
	}
	endpoint, _ := input.text("endpoint")
	secret, _ := input.text("secret")
	webhook, _, err := r.handler.parts.Webhooks.RegisterWebhook(r.ctx, r.principal, control.Registration{
		URL: endpoint, Topics: asTopics(topics), Contract: contractName, Secret: postrider.NewSecret(secret),
	})
	return whenFound(webhook, err)
}

func unregisterWebhook(r *run, _ any, args arguments) (any, error) {
	webhook, err := r.find(args.object("input"), "id")
	if err != nil {
		return nil, err
	}
	return whenFound(r.handler.parts.Webhooks.DeleteWebhook(r.ctx, r.principal, "", webhook.ID))
}

func updateWebhook(r *run, _ any, args arguments) (any, error) {
	input := args.object("input")
	topics, given, err := input.texts("topics")
	if err != nil {
		return nil, err
	}
	webhook, err := r.find(input, "id")
	if err != nil {
		return nil, err
	}
	change := control.Change{}
	if given {
		list := asTopics(topics)
		change.Topics = &list
	}
	if endpoint, given := input.text("endpoint"); given {
		change.URL = &endpoint
	}
	if status, given := input.text("status"); given {
		state := postrider.EndpointState(strings.ToLower(status))
		change.State = &state
	}
	return whenFound(r.handler.parts.Webhooks.UpdateWebhook(r.ctx, r.principal, "", webhook.ID, change))
}

// rotateSecret gives a new secret. The header of this contract carries one signature, so that during an
// overlap the old secret signs; the tenant, who supplies the secret, ends it by activating the new one.
func rotateSecret(r *run, _ any, args arguments) (any, error) {
	input := args.object("input")
	minutes, err := input.whole("overlap", 0, int(control.MaxOverlap/time.Minute), 0)
	if err != nil {
		return nil, err
	}
	webhook, err := r.find(input, "id")
	if err != nil {
		return nil, err
	}
	overlap := time.Duration(minutes) * time.Minute
	text, _ := input.text("secret")
	webhook, _, err = r.handler.parts.Webhooks.RotateSecret(r.ctx, r.principal, "", webhook.ID,
		control.Rotation{Secret: postrider.NewSecret(text), Overlap: &overlap})
	return whenFound(webhook, err)
}

func activateSecret(r *run, _ any, args arguments) (any, error) {
	webhook, err := r.find(args.object("input"), "id")
	if err != nil {
		return nil, err
	}
	return whenFound(r.handler.parts.Webhooks.ActivateSecret(r.ctx, r.principal, "", webhook.ID))
}

func triggerTest(r *run, _ any, args arguments) (any, error) {
	input := args.object("input")
	webhook, err := r.find(input, "id")
	if err != nil {
		return nil, err
	}
	topic, _ := input.text("topic")
	trial, err := r.handler.parts.Webhooks.TestWebhook(r.ctx, r.principal, "", webhook.ID, postrider.Topic(topic))
	if err != nil {
		return nil, err
	}
	return trial, nil
}

func asTopics(names []string) []postrider.Topic {
	topics := make([]postrider.Topic, len(names))
	for i, name := range names {
		topics[i] = postrider.Topic(name)
	}
	return topics
}
