// Package control holds every management verb of Postrider once: tenants, keys, webhooks, and the
// story of events and deliveries. The surfaces (REST now, others beside it) decode a call, ask one
// verb of Control, and encode what it gives.
//
// Every verb takes the auth.Principal who asks and keeps one order: authorize the action, find the
// tenant, look only inside it, validate all inputs at once, write, and tell the rest of the process
// what changed. A thing of another tenant, or of an environment that the principal's key does not
// reach, is "not found", so that ids cannot be probed.
//
// To begin reading: control.go has what a Control is made of and how a tenant is chosen;
// webhook.go and rules.go have the verbs and rules of webhooks; each other resource has a file of its own.
package control
