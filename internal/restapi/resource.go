package restapi

import (
	"cmp"
	"encoding/base64"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
)

// answer is a handler's answer with a body.
type answer[T any] struct{ Body T }

// created is the answer to a call that made a thing.
type created[T any] struct {
	Location string `header:"Location" doc:"Where the new thing is."`
	Body     T
}

// done is an answer without a body.
type done struct{}

// The inputs that several calls share. Their names are exported because huma reads exported fields only.

// TenantQuery chooses the tenant of a call.
type TenantQuery struct {
	Tenant string `query:"tenant" maxLength:"64" doc:"Name or id of the tenant, for an operator's key; \"default\" without one."`
}

// with joins the tenant of the query with that of the body, which must not say something else.
func (q TenantQuery) with(body string) (string, error) {
	if q.Tenant != "" && body != "" && q.Tenant != body {
		return "", postrider.FieldError("tenant", "the query says %q and the body %q; name one", bounded(q.Tenant), bounded(body))
	}
	return cmp.Or(body, q.Tenant), nil
}

// ByID is the input of calls on one thing.
type ByID struct {
	ID string `path:"id" doc:"Its id."`
	TenantQuery
}

// PageQuery chooses a page of a list.
type PageQuery struct {
	Cursor string `query:"cursor" maxLength:"200" doc:"The next of the page before; without it, the first page."`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many at most."`
}

// EnvironmentQuery narrows a list to one environment.
type EnvironmentQuery struct {
	Environment string `query:"environment" enum:"production,sandbox" doc:"Of this environment only."`
}

// listOf makes a page. last gives the cursor after its last element, and is asked only when there is more.
func listOf[D, W any](items []D, more bool, wire func(D) W, last func(D) string) *answer[api.List[W]] {
	out := &answer[api.List[W]]{Body: api.List[W]{Data: make([]W, len(items))}}
	for i, item := range items {
		out.Body.Data[i] = wire(item)
	}
	if more && len(items) > 0 {
		next := base64.RawURLEncoding.EncodeToString([]byte(last(items[len(items)-1])))
		out.Body.Next = &next
	}
	return out
}

// cursor reads a cursor that listOf made: parse is told what last gave.
func cursor[T any](text string, parse func(string) (T, error)) (T, error) {
	var none T
	if text == "" {
		return none, nil
	}
	inner, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		if after, fault := parse(string(inner)); fault == nil {
			return after, nil
		}
	}
	return none, postrider.FieldError("cursor", "is not one that this list gave; begin again without it")
}

// noSuch answers an id that cannot be one, as if the thing was not there.
func noSuch(kind, id string) error {
	return postrider.Errorf(postrider.CodeNotFound, "there is no %s %q", kind, bounded(id))
}

// unavailable makes an error of the store into one that tells the caller to come again.
func unavailable(err error) error {
	if postrider.ErrorCode(err) == postrider.CodeUnavailable {
		return err
	}
	return &postrider.Error{Code: postrider.CodeUnavailable, Message: "the store cannot take events now; try again", Err: err}
}
