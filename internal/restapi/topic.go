package restapi

import (
	"context"
	"net/http"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
)

func topicRoutes() []route {
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	return []route{
		{get, "/v1/topics", "listTopics", tagTopics, auth.ReadTopics, 200, "List event types",
			"The catalogue, and what webhooks of the tenant name beside it, by name.", managed((*Handler).listTopics)},
		{post, "/v1/topics", "createTopic", tagTopics, auth.WriteTopics, 201, "Put an event type into the catalogue",
			"It takes the place of a built-in one of the same name.", managed((*Handler).createTopic)},
		{get, "/v1/topics/policy", "getTopicPolicy", tagTopics, auth.ReadTopics, 200, "Whether the catalogue is closed", "", managed((*Handler).getTopicPolicy)},
		{put, "/v1/topics/policy", "putTopicPolicy", tagTopics, auth.WriteTopics, 200, "Open or close the catalogue",
			"A closed catalogue refuses other event types when events are published and webhooks registered.", managed((*Handler).putTopicPolicy)},
		{get, "/v1/topics/{name}", "getTopic", tagTopics, auth.ReadTopics, 200, "Get an event type of the catalogue", "", managed((*Handler).getTopic)},
		{patch, "/v1/topics/{name}", "updateTopic", tagTopics, auth.WriteTopics, 200, "Change an event type of the catalogue",
			"Absent fields stay; null takes an example away. A built-in one becomes the operator's own.", managed((*Handler).updateTopic)},
		{del, "/v1/topics/{name}", "deleteTopic", tagTopics, auth.WriteTopics, 204, "Take an event type out of the catalogue",
			"A built-in one of the same name shows again.", managed((*Handler).deleteTopic)},
	}
}

// ByName is the input of calls on one event type.
type ByName struct {
	Name string `path:"name" doc:"The event type." example:"resource.created"`
}

func (h *Handler) listTopics(ctx context.Context, c *call, in *struct {
	TenantQuery
	EnvironmentQuery
	PageQuery
	Source string `query:"source" enum:"builtin,operator,webhook" doc:"From there only."`
}) (*answer[api.List[api.Topic]], error) {
	after, err := cursor(in.Cursor, func(name string) (postrider.Topic, error) {
		return postrider.Topic(name), postrider.Topic(name).ValidatePattern()
	})
	if err != nil {
		return nil, err
	}
	found, more, err := h.parts.Control.Topics(ctx, c.principal, in.Tenant, control.TopicFilter{
		Environment: postrider.Environment(in.Environment), Source: control.TopicSource(in.Source), After: after, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	return listOf(found, more, wireTopic, func(t control.Topic) string { return string(t.Name) }), nil
}

func wireTopic(t control.Topic) api.Topic {
	return api.Topic{
		Name: string(t.Name), Description: t.Description, Example: t.Example, PreviousExample: t.Previous, Source: string(t.Source),
		Webhooks: t.Webhooks, CreatedAt: wireTime(t.CreatedAt), UpdatedAt: wireTime(t.UpdatedAt),
	}
}

func (h *Handler) createTopic(ctx context.Context, c *call, in *struct{ Body Body[api.TopicCreate] }) (*created[api.Topic], error) {
	asked, err := in.Body.take()
	if err != nil {
		return nil, err
	}
	if asked.Name == "policy" {
		return nil, postrider.FieldError("name", "is a word of the interface; choose another")
	}
	topic, err := h.parts.Control.CreateTopic(ctx, c.principal, postrider.Topic(asked.Name), control.TopicChange{
		Description: &asked.Description, Example: asked.Example, Previous: asked.PreviousExample,
	})
	if err != nil {
		return nil, err
	}
	return &created[api.Topic]{Location: "/v1/topics/" + asked.Name, Body: wireTopic(*topic)}, nil
}

func (h *Handler) getTopic(ctx context.Context, c *call, in *ByName) (*answer[api.Topic], error) {
	topic, err := h.parts.Control.FindTopic(ctx, c.principal, postrider.Topic(in.Name))
	if err != nil {
		return nil, err
	}
	return &answer[api.Topic]{Body: wireTopic(*topic)}, nil
}

func (h *Handler) updateTopic(ctx context.Context, c *call, in *struct {
	ByName
	Body Body[api.TopicUpdate]
}) (*answer[api.Topic], error) {
	asked, err := in.Body.take()
	if err != nil {
		return nil, err
	}
	change := control.TopicChange{Description: asked.Description, Example: asked.Example, Previous: asked.PreviousExample}
	if in.Body.isNull("example") {
		change.Example = []byte{}
	}
	if in.Body.isNull("previous_example") {
		change.Previous = []byte{}
	}
	topic, err := h.parts.Control.UpdateTopic(ctx, c.principal, postrider.Topic(in.Name), change)
	if err != nil {
		return nil, err
	}
	return &answer[api.Topic]{Body: wireTopic(*topic)}, nil
}

func (h *Handler) deleteTopic(ctx context.Context, c *call, in *ByName) (*done, error) {
	return &done{}, h.parts.Control.DeleteTopic(ctx, c.principal, postrider.Topic(in.Name))
}

func (h *Handler) getTopicPolicy(ctx context.Context, c *call, _ *struct{}) (*answer[api.TopicPolicy], error) {
	policy, err := h.parts.Control.TopicPolicy(ctx, c.principal)
	if err != nil {
		return nil, err
	}
	return &answer[api.TopicPolicy]{Body: api.TopicPolicy(policy)}, nil
}

func (h *Handler) putTopicPolicy(ctx context.Context, c *call, in *struct{ Body Body[api.TopicPolicy] }) (*answer[api.TopicPolicy], error) {
	asked, err := in.Body.take()
	if err != nil {
		return nil, err
	}
	var faults postrider.Faults
	for _, name := range []string{"closed", "builtin"} {
		if !in.Body.names(name) {
			faults.Add(name, "is required: true or false")
		}
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	if err := h.parts.Control.SetTopicPolicy(ctx, c.principal, control.TopicPolicy(asked)); err != nil {
		return nil, err
	}
	return &answer[api.TopicPolicy]{Body: asked}, nil
}
