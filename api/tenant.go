package api

import "time"

// Tenant owns webhooks, keys and events.
type Tenant struct {
	ID        string    `json:"id" doc:"The tenant's id." example:"ten_01h455vb4pex5vsknk084sn02q"`
	Name      string    `json:"name" doc:"Its name, unique in the gateway." example:"acme"`
	CreatedAt time.Time `json:"created_at" doc:"When it was made."`
}

// TenantCreate makes a tenant.
type TenantCreate struct {
	Name string `json:"name" minLength:"1" maxLength:"64" doc:"Letters, digits, \"_\", \"-\" and \".\"." example:"acme"`
}

// Key is a bearer credential, without its text.
type Key struct {
	ID          string     `json:"id" doc:"The key's id." example:"key_01h455vb4pex5vsknk084sn02q"`
	Tenant      string     `json:"tenant,omitempty" doc:"Id of its tenant; absent for an operator's key." example:"ten_01h455vb4pex5vsknk084sn02q"`
	Environment string     `json:"environment" enum:"production,sandbox" doc:"The environment it means when a call names none. A sandbox key reaches nothing else." example:"production"`
	Role        string     `json:"role" enum:"operator,admin,publisher,viewer" doc:"What it may do." example:"publisher"`
	Name        string     `json:"name" doc:"A note for people." example:"orders service"`
	CreatedAt   time.Time  `json:"created_at" doc:"When it was made."`
	ExpiresAt   *time.Time `json:"expires_at" nullable:"true" doc:"When it ends; null: never."`
	LastUsedAt  *time.Time `json:"last_used_at" nullable:"true" doc:"When it was last used, to the minute; null: not yet."`
	// Key is the text to send as "Authorization: Bearer …". It is only in the answer that made it.
	Key string `json:"key,omitempty" doc:"The key itself, to be sent as \"Authorization: Bearer …\". Only in the answer that made it: it is not shown again."`
}

// KeyCreate makes a key.
type KeyCreate struct {
	Tenant      string     `json:"tenant,omitempty" doc:"Name or id of the tenant, for an operator's key; \"default\" without one. An operator's key has none." example:"acme"`
	Environment string     `json:"environment,omitempty" enum:"production,sandbox" doc:"The calling key's environment without one." example:"production"`
	Role        string     `json:"role" enum:"operator,admin,publisher,viewer" doc:"What it may do." example:"publisher"`
	Name        string     `json:"name,omitempty" maxLength:"100" doc:"A note for people." example:"orders service"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty" doc:"When it ends; never without it."`
}
