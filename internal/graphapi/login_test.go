package graphapi_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/control"
)

func TestALoginAnswersFlatInTheSeedsOrder(t *testing.T) {
	g := newGateway(t)
	g.user("acme", "ann@example.com", postrider.RoleAdmin)
	answer := g.send("POST", "/login", loginBody("ann@example.com", password))
	shape := regexp.MustCompile(`^\{"AccessToken":"[\w-]+\.[\w-]+\.[\w-]+","ExpiresIn":480,"TokenType":"Bearer","RefreshToken":"[\w-]+","IdToken":"[\w-]+\.[\w-]+\.[\w-]+"\}$`)
	if answer.status != http.StatusOK || !shape.MatchString(answer.body) {
		t.Errorf("%d %s", answer.status, answer.body)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"} {
		equal(t, name, answer.header.Get(name), want)
	}
}

// TestBase64IsTakenInEveryForm has a name and a password whose base64 differs between the alphabets
// and needs padding (A001-4).
func TestBase64IsTakenInEveryForm(t *testing.T) {
	g := newGateway(t)
	name, secret := "jürgen>>>???ÿ@example.com.", "pässword 1 >>>???~"
	if _, err := g.control.CreateUser(context.Background(), operator,
		control.UserRequest{Tenant: "acme", Login: name, Password: postrider.NewSecret(secret), Role: postrider.RoleViewer}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
		email := encoding.EncodeToString([]byte(name))
		seen[email] = true
		body, _ := json.Marshal(map[string]string{"email": email, "password": encoding.EncodeToString([]byte(secret))})
		if answer := g.send("POST", "/login", string(body)); answer.status != http.StatusOK {
			t.Errorf("%s: %d %s", body, answer.status, answer.body)
		}
	}
	if len(seen) < 3 {
		t.Errorf("the name is no test: its forms are %v", seen)
	}
}

func TestAWrongNameAndAWrongPasswordGetTheSameAnswer(t *testing.T) {
	g := newGateway(t)
	g.user("acme", "ann@example.com", postrider.RoleAdmin)
	for _, body := range []string{loginBody("ann@example.com", "wrong horse 4 battery"), loginBody("bob@example.com", password)} {
		answer := g.send("POST", "/login", body)
		equal(t, "the body", answer.body, `{"__type":"NotAuthorizedException","message":"Incorrect username or password."}`)
		equal(t, "x-amzn-errortype", answer.header.Get("x-amzn-errortype"), "NotAuthorizedException")
		if answer.status != http.StatusBadRequest {
			t.Errorf("status %d", answer.status)
		}
	}
}

func TestALoginThatCannotBeReadIs400(t *testing.T) {
	g := newGateway(t)
	for body, message := range map[string]string{
		``:                                      "The body is not a JSON object.",
		`meow`:                                  "The body is not a JSON object.",
		`[]`:                                    "The body is not a JSON object.",
		`{}`:                                    "email is required.",
		`{"email":"YQ=="}`:                      "password is required.",
		`{"email":7,"password":"YQ=="}`:         "email must be a string.",
		`{"email":null,"password":"YQ=="}`:      "email must be a string.",
		`{"email":"a@b.c","password":"YQ=="}`:   "email must be base64 of a text in UTF-8.",
		`{"email":"YQ==","password":"/w=="}`:    "password must be base64 of a text in UTF-8.",
		`{"email":"YQ==","password":"Y Q=="}`:   "password must be base64 of a text in UTF-8.",
		`{"email":"a","password":"b"}`:          "email must be base64 of a text in UTF-8. password must be base64 of a text in UTF-8.",
		strings.Repeat(" ", 16<<10) + `{"a":1}`: "The body is larger than 16 KiB.",
	} {
		answer := g.send("POST", "/login", body)
		want, _ := json.Marshal(message)
		equal(t, body, answer.body, `{"__type":"InvalidParameterException","message":`+string(want)+`}`)
		if answer.status != http.StatusBadRequest {
			t.Errorf("%.40s: status %d", body, answer.status)
		}
	}
	if answer := g.send("GET", "/login", ""); answer.status != http.StatusMethodNotAllowed || answer.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", answer.status, answer.header)
	}
}

func TestTooManyWrongPasswordsAre429(t *testing.T) {
	g := newGateway(t)
	g.user("acme", "ann@example.com", postrider.RoleAdmin)
	wrong := loginBody("ann@example.com", "wrong horse 4 battery")
	for range 100 {
		answer := g.send("POST", "/login", wrong)
		if answer.status == http.StatusBadRequest {
			continue
		}
		equal(t, "the body", answer.body, `{"__type":"TooManyRequestsException","message":"Password attempts exceeded"}`)
		if answer.status != http.StatusTooManyRequests || answer.header.Get("Retry-After") == "" {
			t.Errorf("%d %v", answer.status, answer.header)
		}
		return
	}
	t.Error("100 wrong passwords were let through")
}

func TestARefreshTokenGivesNewTokensOnce(t *testing.T) {
	g := newGateway(t)
	g.user("acme", "ann@example.com", postrider.RoleAdmin)
	first := g.login("ann@example.com", password)["RefreshToken"].(string)
	g.clock.advance(481 * time.Second)
	answer := g.send("POST", "/login/refresh", `{"RefreshToken":"`+first+`"}`)
	var session map[string]any
	if err := json.Unmarshal([]byte(answer.body), &session); err != nil || answer.status != http.StatusOK {
		t.Fatalf("%d %s %v", answer.status, answer.body, err)
	}
	if len(session) != 5 || session["RefreshToken"] == first || session["ExpiresIn"] != 480.0 {
		t.Errorf("got %v", session)
	}
	equal(t, "a query with the new token", g.query(session["IdToken"].(string), `{ webhooks { webhooks { id } } }`, nil), `{"data":{"webhooks":{"webhooks":[]}}}`)
	for _, test := range []struct{ what, token string }{
		{"used", first}, {"of the family of a used one", session["RefreshToken"].(string)}, {"unknown", "nonsense"},
	} {
		answer := g.send("POST", "/login/refresh", `{"RefreshToken":"`+test.token+`"}`)
		equal(t, test.what, answer.body, `{"__type":"NotAuthorizedException","message":"Invalid Refresh Token"}`)
		if answer.status != http.StatusBadRequest {
			t.Errorf("%s: %d", test.what, answer.status)
		}
	}
	if answer := g.send("POST", "/login/refresh", `{}`); answer.status != http.StatusBadRequest {
		t.Errorf("without a token: %d %s", answer.status, answer.body)
	}
}

func TestTheKeysAreThereForEverybody(t *testing.T) {
	g := newGateway(t)
	answer := g.send("GET", "/.well-known/jwks.json", "")
	var set struct {
		Keys []struct{ Kty, Crv, X, Kid, Use, Alg, D string }
	}
	if err := json.Unmarshal([]byte(answer.body), &set); err != nil || len(set.Keys) == 0 {
		t.Fatalf("%d %s %v", answer.status, answer.body, err)
	}
	for _, key := range set.Keys {
		if key.Kty != "OKP" || key.Crv != "Ed25519" || key.X == "" || key.Kid == "" || key.D != "" {
			t.Errorf("a key is %+v", key)
		}
	}
}

func TestTheThreeRefusalsAreTheSeedsToTheLetter(t *testing.T) {
	g := newGateway(t)
	token := g.user("acme", "ann@example.com", postrider.RoleAdmin)
	session := g.login("ann@example.com", password)
	gone := g.user("acme", "gone@example.com", postrider.RoleAdmin)
	g.deleteUser("gone@example.com")
	other := newGateway(t)
	foreign := other.user("acme", "ann@example.com", postrider.RoleAdmin)
	const (
		expired = `{"errors":[{"errorType":"UnauthorizedException","message":"Token has expired."}]}`
		invalid = `{"errors":[{"errorType":"UnauthorizedException","message":"Unable to parse JWT token"}]}`
		missing = `{"errors":[{"errorType":"UnauthorizedException","message":"User is not authorized to make this call."}]}`
	)
	operations := []string{
		`{"query":"mutation { registerWebhook(input: {topics: [\"a\"], secret: \"s\", endpoint: \"e\"}) { webhook { id } } }"}`,
		`{"query":"{ webhooks { webhooks { id } } }"}`,
		`{"query":"mutation { unregisterWebhook(input: {id: \"webhook-12345\"}) { webhook { id } } }"}`,
		`meow`, ``, // auth is judged before the body (A001-10)
	}
	check := func(what, want string, header ...string) {
		t.Helper()
		for _, body := range operations {
			answer := g.send("POST", "/graphql", body, header...)
			equal(t, what, answer.body, want)
			if answer.status != http.StatusUnauthorized {
				t.Errorf("%s: status %d", what, answer.status)
			}
		}
	}
	check("no header", missing)
	check("an empty header", missing, "Authorization", "")
	check("a blank header", missing, "Authorization", "  ")
	check("Bearer and nothing", missing, "Authorization", "Bearer ")
	check("garbage", invalid, "Authorization", "garbage")
	check("a changed token", invalid, "Authorization", token[:len(token)-4]+"AAAA")
	check("another's token", invalid, "Authorization", foreign)
	check("an access token", invalid, "Authorization", session["AccessToken"].(string))
	check("a refresh token", invalid, "Authorization", session["RefreshToken"].(string))
	check("a deleted user", missing, "Authorization", gone)
	for _, header := range []string{token, "Bearer " + token, "bearer  " + token, " " + token + " "} {
		if answer := g.send("POST", "/graphql", operations[1], "Authorization", header); answer.status != http.StatusOK {
			t.Errorf("a good token is refused: %s", answer.body)
		}
	}
	g.clock.advance(480*time.Second - time.Second)
	if answer := g.send("POST", "/graphql", operations[1], "Authorization", token); answer.status != http.StatusOK {
		t.Errorf("after 479 s: %s", answer.body)
	}
	g.clock.advance(2 * time.Second)
	check("after 481 s", expired, "Authorization", token)
	check("after 481 s, with Bearer", expired, "Authorization", "Bearer "+token)
	check("another's expired token", invalid, "Authorization", foreign)
}

func (g *gateway) deleteUser(login string) {
	g.t.Helper()
	user, err := g.store.FindUserByLogin(context.Background(), login)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.control.DeleteUser(context.Background(), operator, "acme", user.ID); err != nil {
		g.t.Fatal(err)
	}
}
