package api

import "time"

// SecretRotation is a new signing secret on its way into force.
type SecretRotation struct {
	StartedAt time.Time `json:"started_at" doc:"When the new secret was given."`
	Until     time.Time `json:"until" doc:"From then on only the new secret signs; sooner when it is activated."`
	SignsWith string    `json:"signs_with" enum:"both,old,new" doc:"What requests are signed with now. \"both\": every signature header carries one by each. \"old\": headers that carry a list have both, the others are signed with the old secret." example:"old"`
}

// RotateSecret asks for a new signing secret.
type RotateSecret struct {
	Secret  string `json:"secret,omitempty" doc:"The new secret; without it, one is generated."`
	Overlap string `json:"overlap,omitempty" doc:"How long the old secret stays known, such as \"24h\" (the default), at most \"720h\"; \"0s\" puts the new one in force at once." example:"24h"`
}
