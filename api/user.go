package api

import "time"

// User is a person who logs in by name and password.
type User struct {
	ID        string    `json:"id" doc:"The user's id." example:"usr_01h455vb4pex5vsknk084sn02q"`
	Tenant    string    `json:"tenant,omitempty" doc:"Id of its tenant; absent for an operator." example:"ten_01h455vb4pex5vsknk084sn02q"`
	Email     string    `json:"email" doc:"The name to log in by. It need not be an address." example:"ada@example.com"`
	Role      string    `json:"role" enum:"operator,admin,publisher,viewer" doc:"What it may do." example:"admin"`
	Disabled  bool      `json:"disabled" doc:"Whether it may not log in."`
	CreatedAt time.Time `json:"created_at" doc:"When it was made."`
	UpdatedAt time.Time `json:"updated_at" doc:"When it was last changed."`
}

// UserCreate makes a user.
type UserCreate struct {
	Tenant   string `json:"tenant,omitempty" doc:"Name or id of the tenant, for an operator's key; \"default\" without one. An operator has none." example:"acme"`
	Email    string `json:"email" minLength:"1" maxLength:"320" doc:"The name to log in by, unique in the gateway." example:"ada@example.com"`
	Password string `json:"password" minLength:"8" maxLength:"1024" doc:"At least 8 characters with a digit." example:"correct horse 7"`
	Role     string `json:"role" enum:"operator,admin,publisher,viewer" doc:"What it may do." example:"admin"`
}

// UserUpdate changes a user. Absent fields stay.
type UserUpdate struct {
	Password *string `json:"password,omitempty" minLength:"8" maxLength:"1024" doc:"At least 8 characters with a digit. It ends the user's refresh tokens." example:"correct horse 7"`
	Role     *string `json:"role,omitempty" enum:"operator,admin,publisher,viewer" doc:"What it may do. Nobody becomes an operator or ceases to be one." example:"viewer"`
	Disabled *bool   `json:"disabled,omitempty" doc:"Whether it may not log in; its tokens are refused at once."`
}

// AuditEntry is one management action that was carried out.
type AuditEntry struct {
	ID      string    `json:"id" doc:"The entry's id." example:"0190163d-8694-739b-aea5-966c26f8ad91"`
	At      time.Time `json:"at" doc:"When it was done."`
	Tenant  string    `json:"tenant,omitempty" doc:"Whose things were touched; absent for the operators' own." example:"ten_01h455vb4pex5vsknk084sn02q"`
	Actor   string    `json:"actor" doc:"Who did it: a key's or a user's id, or \"start\" for what the bootstrap file made." example:"key_01h455vb4pex5vsknk084sn02q"`
	Action  string    `json:"action" doc:"What was done." example:"webhook.register"`
	Subject string    `json:"subject" doc:"Id of what it was done to." example:"wh_01h455vb4pex5vsknk084sn02q"`
	Detail  string    `json:"detail" doc:"What changed, in words. No secret stands here." example:"url \"https://a.example\" → \"https://b.example\"; from 192.0.2.7"`
}
