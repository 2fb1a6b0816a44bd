package restapi_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/client"
	"github.com/postrider/postrider/internal/auth"
)

// codeOf is the code of an error that the gateway answered.
func codeOf(err error) string {
	if told, ok := errors.AsType[*client.Error](err); ok {
		return told.Code
	}
	return ""
}

// operatorIn is a client with the operator's key that names the tenant.
func (g *gateway) operatorIn(tenant string) *client.Client {
	g.t.Helper()
	return g.as(g.operator, client.WithTenant(tenant))
}

func TestAUserIsMadeChangedListedAndDeleted(t *testing.T) {
	g := newGateway(t)
	ctx, admin := context.Background(), g.as(g.admin)
	made, err := admin.CreateUser(ctx, api.UserCreate{Email: "base 64 encoded email", Password: canaryPassword, Role: "viewer"})
	if err != nil {
		t.Fatal(err)
	}
	if made.Tenant != g.acme.String() || made.Role != "viewer" || made.Disabled || !strings.HasPrefix(made.ID, "usr_") {
		t.Errorf("made %+v", made)
	}
	found, err := admin.User(ctx, made.ID)
	if err != nil || *found != *made {
		t.Errorf("found %+v %v, want %+v", found, err, made)
	}
	changed, err := admin.UpdateUser(ctx, made.ID, api.UserUpdate{Role: pointer("admin"), Disabled: pointer(true)})
	if err != nil || changed.Role != "admin" || !changed.Disabled || changed.Email != made.Email {
		t.Errorf("changed into %+v %v", changed, err)
	}
	if _, err := g.operatorIn("acme").UpdateUser(ctx, made.ID, api.UserUpdate{Disabled: pointer(false)}); err != nil {
		t.Error(err)
	}
	for i := range 3 {
		if _, err := g.operatorIn("acme").CreateUser(ctx, api.UserCreate{Email: strings.Repeat("x", i+1), Password: canaryPassword, Role: "viewer"}); err != nil {
			t.Fatal(err)
		}
	}
	var logins []string
	page := client.Page{Limit: 3}
	for range 2 {
		list, err := admin.Users(ctx, false, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range list.Data {
			logins = append(logins, user.Email)
		}
		if list.Next != nil {
			page.Cursor = *list.Next
		}
	}
	if diff := cmp.Diff([]string{"base 64 encoded email", "x", "xx", "xxx"}, logins); diff != "" {
		t.Errorf("two pages of users: %s", diff)
	}
	if err := admin.DeleteUser(ctx, made.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.User(ctx, made.ID); codeOf(err) != "not_found" {
		t.Errorf("a deleted user gave %v", err)
	}
}

func TestUsersAreMadeByWhoMayAndWithinTheirBounds(t *testing.T) {
	g := newGateway(t)
	good := `"email":"a","password":"` + canaryPassword + `"`
	for _, test := range []struct {
		key, body string
		status    int
		message   string
	}{
		{g.admin, `{}`, 400, `email: is required: the name to log in by; password: is required: at least 8 characters, with a digit; role: is required: "operator", "admin", "publisher" or "viewer"`},
		{g.admin, `{"email":"a","password":"seven77","role":"king"}`, 400, `password: needs at least 8 characters; role: role "king": use "operator", "admin", "publisher" or "viewer"`},
		{g.admin, `{"email":"a","password":"no digit is here","role":"viewer"}`, 400, `password: needs at least one digit`},
		{g.admin, `{"email":"a","password":"` + strings.Repeat("7", 1025) + `","role":"viewer"}`, 400, `password: has at most 1024 bytes`},
		{g.admin, `{"email":"` + strings.Repeat("ü", 321) + `","password":"` + canaryPassword + `","role":"viewer"}`, 400, `email: has at most 320 characters; this one has 321`},
		{g.admin, `{` + good + `,"role":"operator"}`, 403, `only an operator handles what is the operators' own`},
		{g.operator, `{` + good + `,"role":"operator","tenant":"acme"}`, 400, `tenant: what is the operators' own belongs to no tenant; leave it out`},
		{g.sandboxAdmin, `{` + good + `,"role":"viewer"}`, 403, `a sandbox key does not manage users, who log in to production too; use a production key`},
		{g.admin, `{` + good + `,"role":"viewer"}`, 201, ""},
		{g.foreign, `{` + good + `,"role":"viewer"}`, 409, `there is a user "a" already`},
		{g.admin, `{"email":"` + strings.Repeat("ü", 320) + `","password":"` + canaryPassword + `","role":"viewer"}`, 201, ""},
	} {
		r := g.call(test.key, "POST", "/v1/users", test.body)
		message := ""
		if r.status != 201 {
			_, message, _ = r.told(t)
		}
		if r.status != test.status || message != test.message {
			t.Errorf("%.120s gave %d %s", test.body, r.status, message)
		}
	}
}

func TestNobodyBecomesAnOperatorAndOnlyOperatorsSeeThem(t *testing.T) {
	g := newGateway(t)
	ctx, operator := context.Background(), g.as(g.operator)
	root, err := operator.CreateUser(ctx, api.UserCreate{Email: "root", Password: canaryPassword, Role: "operator"})
	if err != nil || root.Tenant != "" {
		t.Fatal(root, err)
	}
	if r := g.call(g.admin, "GET", "/v1/users/"+root.ID, ""); r.status != 404 {
		t.Errorf("an admin asking for an operator got %d %s", r.status, r.body)
	}
	if r := g.call(g.admin, "GET", "/v1/users?role=operator", ""); r.status != 403 {
		t.Errorf("an admin listing operators got %d %s", r.status, r.body)
	}
	if r := g.call(g.admin, "GET", "/v1/audit?operators=true", ""); r.status != 403 {
		t.Errorf("an admin reading the operators' entries got %d %s", r.status, r.body)
	}
	if list, err := operator.Users(ctx, true, client.Page{}); err != nil || len(list.Data) != 1 || list.Data[0].ID != root.ID {
		t.Errorf("the operators are %+v %v", list, err)
	}
	user, err := g.as(g.admin).CreateUser(ctx, api.UserCreate{Email: "ada", Password: canaryPassword, Role: "viewer"})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{g.admin, g.operator} {
		if r := g.call(key, "PATCH", "/v1/users/"+user.ID, `{"role":"operator"}`); r.status != 400 || !strings.Contains(r.body, "nobody becomes an operator") {
			t.Errorf("making an operator of a user gave %d %s", r.status, r.body)
		}
	}
	if found, err := operator.User(ctx, user.ID); err != nil || found.Email != "ada" {
		t.Errorf("an operator who names no tenant asked for a user and got %+v %v", found, err)
	}
	if _, err := g.operatorIn("rival").User(ctx, user.ID); codeOf(err) != "not_found" {
		t.Errorf("a user asked for in another tenant gave %v", err)
	}
	if err := operator.DeleteUser(ctx, root.ID); err != nil {
		t.Error(err)
	}
}

// TestADisabledOrDeletedUsersTokenIsRefusedAtOnce logs in through control, as the surfaces with a
// login do, and changes the user through REST.
func TestADisabledOrDeletedUsersTokenIsRefusedAtOnce(t *testing.T) {
	g := newGateway(t)
	ctx, admin := context.Background(), g.as(g.admin)
	from := netip.MustParseAddr("192.0.2.1")
	user, err := admin.CreateUser(ctx, api.UserCreate{Email: "ada", Password: canaryPassword, Role: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	session, err := g.control.Login(ctx, "ada", canaryPassword, from)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := g.tokens.Check(ctx, session.IDToken, time.Now()); err != nil || p.UserID.String() != user.ID || p.Tenant != g.acme || p.Role != "admin" {
		t.Fatalf("the token is %+v's: %v", p, err)
	}
	if _, err := admin.UpdateUser(ctx, user.ID, api.UserUpdate{Role: pointer("viewer")}); err != nil {
		t.Fatal(err)
	}
	if p, err := g.tokens.Check(ctx, session.IDToken, time.Now()); err != nil || p.Role != "viewer" {
		t.Errorf("after the role changed the token is %+v's: %v", p, err)
	}
	if _, err := g.control.RefreshLogin(ctx, session.RefreshToken); err != auth.ErrTokenInvalid {
		t.Errorf("a refresh token from before the role changed gave %v", err)
	}
	if _, err := admin.UpdateUser(ctx, user.ID, api.UserUpdate{Disabled: pointer(true)}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.tokens.Check(ctx, session.IDToken, time.Now()); err != auth.ErrTokenRevoked {
		t.Errorf("a disabled user's token gave %v", err)
	}
	if _, err := g.control.Login(ctx, "ada", canaryPassword, from); err == nil {
		t.Error("a disabled user logged in")
	}
	if _, err := admin.UpdateUser(ctx, user.ID, api.UserUpdate{Disabled: pointer(false)}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.tokens.Check(ctx, session.IDToken, time.Now()); err != nil {
		t.Errorf("the token of a user who may log in again gave %v", err)
	}
	if err := admin.DeleteUser(ctx, user.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := g.tokens.Check(ctx, session.IDToken, time.Now()); err != auth.ErrTokenRevoked {
		t.Errorf("a deleted user's token gave %v", err)
	}
}

// TestAnIDTokenIsTakenWhereAKeyIs lets people do what a key of their role does, under their own name.
func TestAnIDTokenIsTakenWhereAKeyIs(t *testing.T) {
	g := newGateway(t)
	ctx, admin := context.Background(), g.as(g.admin)
	for _, role := range []string{"admin", "publisher", "viewer"} {
		user, err := admin.CreateUser(ctx, api.UserCreate{Email: role, Password: canaryPassword, Role: role})
		if err != nil {
			t.Fatal(err)
		}
		session, err := g.control.Login(ctx, role, canaryPassword, netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		for path, who := range map[string]string{"/v1/webhooks": "admin viewer", "/v1/events": "admin publisher viewer", "/v1/users": "admin", "/v1/keys": "admin"} {
			want := 403
			if strings.Contains(who, role) {
				want = 200
			}
			if r := g.call(session.IDToken, "GET", path, ""); r.status != want {
				t.Errorf("GET %s with the token of a user of role %s gave %d %s", path, role, r.status, r.body)
			}
		}
		for name, token := range map[string]string{"access": session.AccessToken, "refresh": session.RefreshToken, "changed": session.IDToken[:len(session.IDToken)-9] + "AAAAAAAAA"} {
			if r := g.call(token, "GET", "/v1/events", ""); r.status != 401 {
				t.Errorf("the %s token gave %d %s", name, r.status, r.body)
			}
		}
		if role != "admin" {
			continue
		}
		if r := g.call(session.IDToken, "DELETE", "/v1/users/"+user.ID, ""); r.status != 409 {
			t.Errorf("deleting oneself gave %d %s", r.status, r.body)
		}
		if r := g.call(session.IDToken, "POST", "/v1/webhooks", `{"url":"https://example.com","events":["x"]}`); r.status != 201 {
			t.Fatalf("registering gave %d %s", r.status, r.body)
		}
		if list, err := admin.Audit(ctx, false, client.Page{Limit: 1}); err != nil || list.Data[0].Actor != user.ID || list.Data[0].Action != "webhook.register" {
			t.Errorf("the last entry is %+v %v", list, err)
		}
	}
}

func TestTheAuditLogTellsWhoDidWhatFromWhere(t *testing.T) {
	g := newGateway(t)
	ctx, admin := context.Background(), g.as(g.admin)
	webhook, err := admin.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://a.example", Events: []string{"x"}, Secret: canary})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.UpdateWebhook(ctx, webhook.ID, api.WebhookUpdate{URL: pointer("https://b.example"), Secret: pointer(canary + "-2")}); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.UpdateWebhook(ctx, webhook.ID, api.WebhookUpdate{URL: pointer("https://b.example")}); err != nil {
		t.Fatal(err) // changes nothing, so that nothing is written down
	}
	list, err := admin.Audit(ctx, false, client.Page{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := admin.Keys(ctx, "admin")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, entry := range list.Data {
		if entry.Actor != keys.Data[0].ID || entry.Tenant != g.acme.String() || entry.Subject != webhook.ID || time.Since(entry.At) > time.Minute {
			t.Errorf("the entry is %+v", entry)
		}
		told = append(told, entry.Action+": "+entry.Detail)
	}
	want := []string{
		`webhook.update: url "https://a.example" → "https://b.example"; another signing secret; from 127.0.0.1`,
		`webhook.register: url "https://a.example"; events x; contract generic; production; from 127.0.0.1`,
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	if rival, err := g.as(g.foreign).Audit(ctx, false, client.Page{}); err != nil || len(rival.Data) != 0 {
		t.Errorf("another tenant sees %+v %v", rival, err)
	}
	if r := g.call(g.sandboxAdmin, "GET", "/v1/audit", ""); r.status != 403 {
		t.Errorf("a sandbox key reading the log gave %d %s", r.status, r.body)
	}
	first, err := admin.Audit(ctx, false, client.Page{Limit: 1})
	if err != nil || first.Next == nil {
		t.Fatal(first, err)
	}
	second, err := admin.Audit(ctx, false, client.Page{Limit: 1, Cursor: *first.Next})
	if err != nil || second.Next != nil || !slices.Equal(append(first.Data, second.Data...), list.Data) {
		t.Errorf("two pages are %+v and %+v: %v", first, second, err)
	}
}

func TestAKeysLastUseIsShownToTheMinute(t *testing.T) {
	g := newGateway(t)
	ctx, admin := context.Background(), g.as(g.admin)
	lastUse := func(role string) *time.Time {
		list, err := admin.Keys(ctx, role)
		if err != nil {
			t.Fatal(err)
		}
		return list.Data[0].LastUsedAt
	}
	if used := lastUse("admin"); used != nil {
		t.Errorf("before its uses were written the key was used at %v", used)
	}
	if err := g.keys.KeepUses(ctx, g.store); err != nil {
		t.Fatal(err)
	}
	if used := lastUse("admin"); used == nil || time.Since(*used) > time.Minute {
		t.Errorf("the key was used at %v", used)
	}
	if used := lastUse("viewer"); used != nil {
		t.Errorf("a key that nobody used was used at %v", used)
	}
}
