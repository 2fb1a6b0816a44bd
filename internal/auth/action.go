package auth

import "github.com/postrider/postrider"

// Action is something that a caller asks for. Surfaces name the action of each of their calls.
type Action uint8

// The actions.
const (
	ActionNone Action = iota // open to everybody: health, the API's own description
	PublishEvent
	ReadEvents
	ReadDeliveries
	RetryDelivery
	ReplayDelivery // events and spans of time too
	RegisterWebhook
	ReadWebhooks
	UpdateWebhook // pausing and resuming too
	DeleteWebhook
	TestWebhook
	CreateTenant
	ReadTenants
	CreateKey
	ReadKeys
	RevokeKey
	ReadContracts
	ReadTopics
	WriteTopics
	ReadSettings
	UpdateSettings
	CreateUser
	ReadUsers
	UpdateUser
	DeleteUser
	ReadAudit
	SealSecrets // ask for a new key that seals what is stored, and how far it has come

	actions // how many there are
)

// permission is one row of the table: an action, its printed name, and the roles that may ask for it.
type permission struct {
	name  string
	roles [4]bool // operator, admin, publisher, viewer
}

// permissions is the table of who may do what. It is never written to.
var permissions = [actions]permission{
	//                                     operator admin  publisher viewer
	ActionNone:      {"none", [4]bool{true, true, true, true}},
	PublishEvent:    {"event.publish", [4]bool{true, true, true, false}},
	ReadEvents:      {"event.read", [4]bool{true, true, true, true}},
	ReadDeliveries:  {"delivery.read", [4]bool{true, true, true, true}},
	RetryDelivery:   {"delivery.retry", [4]bool{true, true, false, false}},
	ReplayDelivery:  {"delivery.replay", [4]bool{true, true, false, false}},
	RegisterWebhook: {"webhook.register", [4]bool{true, true, false, false}},
	ReadWebhooks:    {"webhook.read", [4]bool{true, true, false, true}},
	UpdateWebhook:   {"webhook.update", [4]bool{true, true, false, false}},
	DeleteWebhook:   {"webhook.delete", [4]bool{true, true, false, false}},
	TestWebhook:     {"webhook.test", [4]bool{true, true, false, false}},
	CreateTenant:    {"tenant.create", [4]bool{true, false, false, false}},
	ReadTenants:     {"tenant.read", [4]bool{true, true, true, true}}, // of others than the operator: their own only
	CreateKey:       {"key.create", [4]bool{true, true, false, false}},
	ReadKeys:        {"key.read", [4]bool{true, true, false, false}},
	RevokeKey:       {"key.revoke", [4]bool{true, true, false, false}},
	ReadContracts:   {"contract.read", [4]bool{true, true, true, true}},
	ReadTopics:      {"topic.read", [4]bool{true, true, true, true}},
	WriteTopics:     {"topic.write", [4]bool{true, false, false, false}}, // the catalogue is the installation's
	ReadSettings:    {"settings.read", [4]bool{true, true, false, true}},
	UpdateSettings:  {"settings.update", [4]bool{true, true, false, false}},
	CreateUser:      {"user.create", [4]bool{true, true, false, false}}, // of no higher role than their own, here and below
	ReadUsers:       {"user.read", [4]bool{true, true, false, false}},
	UpdateUser:      {"user.update", [4]bool{true, true, false, false}},
	DeleteUser:      {"user.delete", [4]bool{true, true, false, false}},
	ReadAudit:       {"audit.read", [4]bool{true, true, false, false}},
	SealSecrets:     {"secrets.seal", [4]bool{true, false, false, false}},
}

// String names the action as logs and documents show it, such as "webhook.register".
func (a Action) String() string {
	if a >= actions {
		return "unknown"
	}
	return permissions[a].name
}

// Actions lists every action but ActionNone, in the order of the table.
func Actions() []Action {
	all := make([]Action, 0, actions-1)
	for a := ActionNone + 1; a < actions; a++ {
		all = append(all, a)
	}
	return all
}

// Allowed reports whether the role may ask for the action, inside its own tenant and environment.
func Allowed(role postrider.Role, action Action) bool {
	column, known := column(role)
	return known && action < actions && permissions[action].roles[column]
}

// Roles lists the roles that may ask for the action, the most powerful first.
func (a Action) Roles() []postrider.Role {
	var roles []postrider.Role
	for _, role := range []postrider.Role{postrider.RoleOperator, postrider.RoleAdmin, postrider.RolePublisher, postrider.RoleViewer} {
		if Allowed(role, a) {
			roles = append(roles, role)
		}
	}
	return roles
}

func column(role postrider.Role) (int, bool) {
	switch role {
	case postrider.RoleOperator:
		return 0, true
	case postrider.RoleAdmin:
		return 1, true
	case postrider.RolePublisher:
		return 2, true
	case postrider.RoleViewer:
		return 3, true
	}
	return 0, false
}
