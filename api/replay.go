package api

import "time"

// ReplayRequest chooses events that are to be delivered again to a webhook.
type ReplayRequest struct {
	From   *time.Time `json:"from,omitempty" doc:"Events accepted at or after this time, RFC 3339." example:"2026-02-18T00:00:00Z"`
	To     *time.Time `json:"to,omitempty" doc:"Events accepted before this time, RFC 3339." example:"2026-02-19T00:00:00Z"`
	Type   string     `json:"type,omitempty" maxLength:"128" doc:"Events of this type only, which may be a pattern such as \"order.*\". Without it: of every type that the webhook gets." example:"order.created"`
	State  string     `json:"state,omitempty" enum:"succeeded,failed,cancelled,none" doc:"Events whose latest delivery to the webhook stands so only; \"none\": those without one." example:"failed"`
	DryRun bool       `json:"dry_run,omitempty" doc:"Count only, and make nothing."`
	Cursor string     `json:"cursor,omitempty" maxLength:"200" doc:"The next of the call before, to go on where it ended."`
}

// ReplayResult says what a replay did.
type ReplayResult struct {
	Matched int     `json:"matched" doc:"Events that match and that the webhook is not still owed." example:"17"`
	Pending int     `json:"pending" doc:"Events that match and that it is still owed: they go anyway, and are not doubled." example:"2"`
	Made    int     `json:"made" doc:"New deliveries, at most 10,000 a call; 0 in a dry run." example:"17"`
	DryRun  bool    `json:"dry_run" doc:"Whether this was a dry run."`
	Next    *string `json:"next" nullable:"true" doc:"When there is more to do: send it as \"cursor\" with the same choice. Null when all events were looked at."`
}
