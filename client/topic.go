package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/postrider/postrider/api"
)

// TopicFilter chooses event types. Zero fields do not restrict.
type TopicFilter struct {
	Environment string // of the webhooks that are counted
	Source      string // builtin, operator or webhook
	Page
}

// Topics gives a page of the catalogue of event types, and of what webhooks of the tenant name beside it, by name.
func (c *Client) Topics(ctx context.Context, filter TopicFilter) (*api.List[api.Topic], error) {
	return get[api.List[api.Topic]](ctx, c, "/v1/topics", c.values(filter.Page, "environment", filter.Environment, "source", filter.Source))
}

// AllTopics walks over all pages.
func (c *Client) AllTopics(ctx context.Context, filter TopicFilter) iter.Seq2[api.Topic, error] {
	return all(ctx, filter.Page, func(ctx context.Context, page Page) (*api.List[api.Topic], error) {
		filter.Page = page
		return c.Topics(ctx, filter)
	})
}

// Topic gives an event type of the catalogue.
func (c *Client) Topic(ctx context.Context, name string) (*api.Topic, error) {
	return get[api.Topic](ctx, c, "/v1/topics/"+segment(name), nil)
}

// CreateTopic puts an event type into the catalogue. It needs an operator's key.
func (c *Client) CreateTopic(ctx context.Context, in api.TopicCreate) (*api.Topic, error) {
	return send[api.Topic](ctx, c, http.MethodPost, "/v1/topics", nil, in, false)
}

// UpdateTopic changes an event type of the catalogue. It needs an operator's key.
func (c *Client) UpdateTopic(ctx context.Context, name string, in api.TopicUpdate) (*api.Topic, error) {
	return send[api.Topic](ctx, c, http.MethodPatch, "/v1/topics/"+segment(name), nil, in, true)
}

// DeleteTopic takes an event type out of the catalogue. It needs an operator's key.
func (c *Client) DeleteTopic(ctx context.Context, name string) error {
	return c.do(ctx, request{method: http.MethodDelete, path: "/v1/topics/" + segment(name), repeatable: true}, nil)
}

// TopicPolicy says whether the catalogue is closed.
func (c *Client) TopicPolicy(ctx context.Context) (*api.TopicPolicy, error) {
	return get[api.TopicPolicy](ctx, c, "/v1/topics/policy", nil)
}

// PutTopicPolicy opens or closes the catalogue. It needs an operator's key.
func (c *Client) PutTopicPolicy(ctx context.Context, in api.TopicPolicy) (*api.TopicPolicy, error) {
	return send[api.TopicPolicy](ctx, c, http.MethodPut, "/v1/topics/policy", nil, in, true)
}
