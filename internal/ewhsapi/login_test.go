package ewhsapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
)

// credentials is the body of a good login.
const credentials = `{"username":"` + userName + `","password":"` + password + `"}`

func TestALoginGivesATokenForAnHourAndARefreshToken(t *testing.T) {
	g := newGateway(t)
	at := time.Date(2026, 2, 11, 17, 45, 1, 600_000_000, time.UTC)
	g.now = func() time.Time { return at }
	for _, path := range []string{"/wms/auth/login/", "/wms/auth/login"} {
		got := g.call("", "POST", path, credentials, "Authorization", "Bearer").must(200) // one client sends its empty token
		session := got.said()
		if session.Iat != at.Unix() || session.Exp != at.Unix()+3600 || session.Token == "" || session.RefreshToken == "" {
			t.Errorf("%s: %+v", path, session)
		}
		if got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v", got.header)
		}
		made := g.call(session.Token, "POST", "/webhooks/", seedBody).must(201).said()
		if made.Customer != g.acme.UUID() {
			t.Errorf("%+v", made)
		}
		g.now = func() time.Time { return at.Add(45 * time.Minute) } // for so long the PHP client asks for no other
		g.call(session.Token, "GET", "/webhooks/", "").must(200)
		g.now = func() time.Time { return at.Add(time.Hour) }
		if told := g.call(session.Token, "GET", "/webhooks/", "").must(401).said(); told.Code != 401 || told.Message != "Expired JWT Token" {
			t.Errorf("%+v", told)
		}
		g.now = func() time.Time { return at }
	}
}

func TestARefreshTokenWorksOnce(t *testing.T) {
	g := newGateway(t)
	first := g.call("", "POST", "/wms/auth/login/", credentials).must(200).said()
	second := g.call("", "POST", "/wms/auth/refresh/", `{"refresh_token":"`+first.RefreshToken+`"}`).must(200).said()
	if second.RefreshToken == first.RefreshToken || second.Exp-second.Iat != 3600 {
		t.Errorf("%+v", second)
	}
	g.call(second.Token, "GET", "/webhooks/", "").must(200)
	for _, token := range []string{first.RefreshToken, second.RefreshToken, "nonsense", second.Token, strings.Repeat("x", 5000)} {
		// Using the first one again ended the whole family: the second one too.
		got := g.call("", "POST", "/wms/auth/refresh", `{"refresh_token":"`+token+`"}`).must(401).said()
		if got.Code != 401 || got.Message != "Invalid refresh token." {
			t.Errorf("%+v", got)
		}
	}
	g.call(first.RefreshToken, "GET", "/webhooks/", "").must(401)
}

func TestABadLoginIsAnsweredInTheReferencesWords(t *testing.T) {
	g := newGateway(t)
	for _, body := range []string{
		`{"username":"` + userName + `","password":"wrong horse 1"}`, `{"username":"nobody","password":"` + password + `"}`,
		`{"username":"` + strings.Repeat("n", 321) + `","password":"x"}`,
	} {
		got := g.call("", "POST", "/wms/auth/login/", body).must(401)
		if told := got.said(); told.Code != 401 || told.Message != "Invalid credentials." {
			t.Errorf("%s: %+v", body, told)
		}
	}
	// The published clients read "message" whatever the status.
	for _, body := range []string{`{}`, `{"username":"x"}`, `{"username":1,"password":"x"}`, `[]`, `{"username":"x","password":"y","otp":"1"}`} {
		if told := g.call("", "POST", "/wms/auth/login/", body).must(400).said(); told.Code != 400 || told.Message == "" {
			t.Errorf("%s: %+v", body, told)
		}
	}
}

func TestGuessingIsThrottled(t *testing.T) {
	g := newGateway(t)
	at := time.Now()
	g.now = func() time.Time { return at }
	for i := range 30 {
		got := g.call("", "POST", "/wms/auth/login/", fmt.Sprintf(`{"username":%q,"password":"guess %d"}`, userName, i))
		if got.status == 429 {
			if got.header.Get("Retry-After") == "" || got.said().Code != 429 {
				t.Errorf("%v %s", got.header, got.body)
			}
			return
		}
		got.must(401)
	}
	t.Error("thirty guesses went through")
}

func TestADisabledUsersTokenIsRefused(t *testing.T) {
	g := newGateway(t)
	session := g.call("", "POST", "/wms/auth/login/", credentials).must(200).said()
	operator := auth.Principal{Role: postrider.RoleOperator}
	users, _, err := g.control.Users(t.Context(), operator, "acme", false, postrider.UserID{}, 10)
	if err != nil || len(users) != 1 {
		t.Fatal(users, err)
	}
	disabled := true
	if _, err := g.control.UpdateUser(t.Context(), operator, "acme", users[0].ID, control.UserChange{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	g.call(session.Token, "GET", "/webhooks/", "").must(401)
	g.call("", "POST", "/wms/auth/refresh/", `{"refresh_token":"`+session.RefreshToken+`"}`).must(401)
	if told := g.call("", "POST", "/wms/auth/login/", credentials).must(401).said(); told.Message != "Invalid credentials." {
		t.Errorf("%+v", told)
	}
}
