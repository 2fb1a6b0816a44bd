package graphapi_test

import (
	"context"
	"strings"
	"testing"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
)

// registerElsewhere makes a webhook in tenant acme as another surface would, and gives its id in this
// tongue.
func (g *gateway) registerElsewhere(contract string, environment postrider.Environment) string {
	g.t.Helper()
	webhook, _, err := g.control.RegisterWebhook(context.Background(), operator, control.Registration{
		Tenant: "acme", Environment: environment, URL: "https://example.com/elsewhere", Topics: []postrider.Topic{"a"},
		Contract: contract, Secret: postrider.NewSecret(canary),
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return "webhook-" + strings.TrimPrefix(webhook.ID.String(), "wh_")
}

// fields is every root field that does something, with the action of the table in internal/auth that
// decides on it. All but registerWebhook and webhooks look a webhook up first.
func rootFields() map[string]struct {
	document string
	actions  []auth.Action
} {
	type row = struct {
		document string
		actions  []auth.Action
	}
	return map[string]row{
		"webhooks":                {`{ webhooks { webhooks { id } } }`, []auth.Action{auth.ReadWebhooks}},
		"webhook":                 {`{ webhook(id: "ID") { id } }`, []auth.Action{auth.ReadWebhooks}},
		"webhookDeliveries":       {`{ webhookDeliveries(webhookId: "ID") { nextToken } }`, []auth.Action{auth.ReadWebhooks, auth.ReadDeliveries}},
		"registerWebhook":         {`mutation { registerWebhook(input: {topics: ["a"], secret: "` + canary + `", endpoint: "https://example.com"}) { webhook { id } } }`, []auth.Action{auth.RegisterWebhook}},
		"updateWebhook":           {`mutation { updateWebhook(input: {id: "ID", topics: ["b"]}) { webhook { id } } }`, []auth.Action{auth.ReadWebhooks, auth.UpdateWebhook}},
		"rotateWebhookSecret":     {`mutation { rotateWebhookSecret(input: {id: "ID", secret: "another secret of enough characters"}) { webhook { id } } }`, []auth.Action{auth.ReadWebhooks, auth.UpdateWebhook}},
		"activateWebhookSecret":   {`mutation { activateWebhookSecret(input: {id: "ID"}) { webhook { id } } }`, []auth.Action{auth.ReadWebhooks, auth.UpdateWebhook}},
		"triggerWebhookTestEvent": {`mutation { triggerWebhookTestEvent(input: {id: "ID"}) { topic } }`, []auth.Action{auth.ReadWebhooks, auth.TestWebhook}},
		"unregisterWebhook":       {`mutation { unregisterWebhook(input: {id: "ID"}) { webhook { id } } }`, []auth.Action{auth.ReadWebhooks, auth.DeleteWebhook}},
	}
}

// TestEveryFieldWithEveryRole walks all root fields as every role: what the table of internal/auth
// allows is done, the rest is Unauthorized, and an operator, who names no tenant here, is in the
// default one.
func TestEveryFieldWithEveryRole(t *testing.T) {
	g := newGateway(t)
	admin := g.user("acme", "admin@example.com", postrider.RoleAdmin)
	tokens := map[postrider.Role]string{
		postrider.RoleAdmin: admin, postrider.RoleViewer: g.user("acme", "viewer@example.com", postrider.RoleViewer),
		postrider.RolePublisher: g.user("acme", "publisher@example.com", postrider.RolePublisher),
		postrider.RoleOperator:  g.user("", "root@example.com", postrider.RoleOperator),
	}
	for role, token := range tokens {
		for name, field := range rootFields() {
			owner := admin
			if role == postrider.RoleOperator {
				owner = token
			}
			id := g.register(owner, "https://example.com/"+string(role)+"/"+name)
			if name == "activateWebhookSecret" {
				g.query(owner, `mutation { rotateWebhookSecret(input: {id: "`+id+`", secret: "another secret of enough characters", overlap: 5}) { webhook { id } } }`, nil)
			}
			body := g.query(token, strings.Replace(field.document, "ID", id, 1), nil)
			allowed := true
			for _, action := range field.actions {
				allowed = allowed && auth.Allowed(role, action)
			}
			switch {
			case allowed && strings.Contains(body, "errors"):
				t.Errorf("%s as %s: %s", name, role, body)
			case !allowed && !strings.Contains(body, `{"data":{"`+name+`":null},"errors":[{"path":["`+name+`"],"data":null,"errorType":"Unauthorized","errorInfo":null,`):
				t.Errorf("%s as %s is not refused: %s", name, role, body)
			case !allowed && !strings.Contains(body, `"message":"Not Authorized to access `+name+` on type `):
				t.Errorf("%s as %s: %s", name, role, body)
			}
		}
	}
	for name, field := range rootFields() {
		answer := g.send("POST", "/graphql", `{"query":"`+strings.ReplaceAll(field.document, `"`, `\"`)+`"}`)
		if answer.status != 401 {
			t.Errorf("%s without a token: %d %s", name, answer.status, answer.body)
		}
	}
}
