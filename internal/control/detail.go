package control

import (
	"strconv"
	"strings"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// webhookDetail words a webhook for the audit log, without its secrets.
func webhookDetail(webhook *postrider.Endpoint) []string {
	return []string{"url " + quote(webhook.URL), "events " + quoteTopics(webhook.Topics), "contract " + webhook.Contract, string(webhook.Environment)}
}

// changeDetail words what changed of a webhook: before and after, and of secrets only that they did.
func changeDetail(before, after *postrider.Endpoint, patch store.EndpointPatch) []string {
	secrets, rotation, credentials := "", "", ""
	if patch.Secrets != nil {
		secrets = "another signing secret"
	}
	if patch.Rotation != nil {
		rotation = "rotation of the signing secret ended"
		if after.Rotation != nil {
			rotation = "rotation of the signing secret until " + after.Rotation.Until.Format("2006-01-02T15:04:05Z07:00")
		}
	}
	if patch.Auth != nil {
		credentials = "other credentials for the endpoint"
	}
	return words(
		changed("url", before.URL, after.URL, quote),
		changed("events", quoteTopics(before.Topics), quoteTopics(after.Topics), strings.Clone),
		changed("contract", before.Contract, after.Contract, strings.Clone),
		changed("description", before.Description, after.Description, quote),
		changed("status", before.State, after.State, func(s postrider.EndpointState) string { return string(s) }),
		changed("max_in_flight", before.MaxInFlight, after.MaxInFlight, strconv.Itoa),
		changed("rate_limit", before.RateLimit, after.RateLimit, func(r float64) string { return strconv.FormatFloat(r, 'g', -1, 64) }),
		changed("rate_burst", before.RateBurst, after.RateBurst, strconv.Itoa),
		secrets, rotation, credentials,
	)
}

// quoteTopics shows a list of topics, bounded.
func quoteTopics(topics []postrider.Topic) string {
	texts := make([]string, len(topics))
	for i, topic := range topics {
		texts[i] = string(topic)
	}
	return cut(strings.Join(texts, ", "), 500)
}
