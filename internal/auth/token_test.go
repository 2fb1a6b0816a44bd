package auth_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/store/memory"
)

// office issues tokens over a store in memory, at a clock that tests move.
type office struct {
	*auth.Tokens
	store *memory.Store
	now   time.Time
	user  *postrider.User
}

func newOffice(t *testing.T, o auth.TokenOptions) *office {
	t.Helper()
	f := &office{store: memory.New(), now: start}
	o.Now = func() time.Time { return f.now }
	f.open(t, o)
	tenant := &postrider.Tenant{ID: postrider.NewTenantID(start), Name: "acme", CreatedAt: start.UTC()}
	if err := f.store.CreateTenant(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	f.user = &postrider.User{ID: postrider.NewUserID(start), Tenant: tenant.ID, Login: "ada", Role: postrider.RoleAdmin, PasswordHash: "x", CreatedAt: start.UTC(), UpdatedAt: start.UTC()}
	if err := f.store.CreateUser(t.Context(), f.user); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *office) open(t *testing.T, o auth.TokenOptions) {
	t.Helper()
	o.Now = func() time.Time { return f.now }
	tokens, err := auth.NewTokens(t.Context(), o, f.store)
	if err != nil {
		t.Fatal(err)
	}
	f.Tokens = tokens
}

func (f *office) login(t *testing.T) *auth.Session {
	t.Helper()
	session, err := f.Open(t.Context(), f.user)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func (f *office) check(t *testing.T, token string) (auth.Principal, error) {
	t.Helper()
	return f.Check(t.Context(), token, f.now)
}

// claimsOf reads a token without checking it, as anybody can.
func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestAnIDTokenLives480SecondsAndNotOneMore(t *testing.T) {
	f := newOffice(t, auth.TokenOptions{})
	session := f.login(t)
	claims := claimsOf(t, session.IDToken)
	if claims["exp"].(float64)-claims["iat"].(float64) != 480 || claims["token_use"] != "id" || claims["sub"] != f.user.ID.String() || claims["email"] != "ada" {
		t.Errorf("the token says %v", claims)
	}
	if session.ExpiresAt.Sub(session.IssuedAt) != 480*time.Second {
		t.Errorf("the session lives from %v to %v", session.IssuedAt, session.ExpiresAt)
	}
	f.now = start.Add(480*time.Second - time.Millisecond)
	want := auth.Principal{Role: postrider.RoleAdmin, Tenant: f.user.Tenant, Environment: postrider.Production, UserID: f.user.ID}
	if got, err := f.check(t, session.IDToken); got != want || err != nil {
		t.Errorf("it is %+v's: %v", got, err)
	}
	f.now = start.Add(480 * time.Second)
	if _, err := f.check(t, session.IDToken); err != auth.ErrTokenExpired {
		t.Errorf("at its end: %v", err)
	}
}

// TestOnlyOurOwnGoodIDTokensAreTaken holds up every way to forge or confuse one.
func TestOnlyOurOwnGoodIDTokensAreTaken(t *testing.T) {
	f, rival := newOffice(t, auth.TokenOptions{}), newOffice(t, auth.TokenOptions{})
	session := f.login(t)
	parts := strings.Split(session.IDToken, ".")
	key := signingSeed(t, f.store)
	kid := keyIDs(t, f.JWKS())[0]
	good := func() jwt.MapClaims {
		return jwt.MapClaims{"iss": "postrider", "aud": "postrider", "sub": f.user.ID.String(), "token_use": "id", "iat": start.Unix(), "exp": start.Add(time.Minute).Unix()}
	}
	signed := func(method jwt.SigningMethod, by any, claims jwt.MapClaims) string {
		token := jwt.NewWithClaims(method, claims)
		token.Header["kid"] = kid
		text, err := token.SignedString(by)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	with := func(name string, value any) string {
		claims := good()
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
		return signed(jwt.SigningMethodEdDSA, key, claims)
	}
	if _, err := f.check(t, signed(jwt.SigningMethodEdDSA, key, good())); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	public := key.Public().(ed25519.PublicKey)
	_, stranger, _ := ed25519.GenerateKey(rand.Reader)
	for name, token := range map[string]string{
		"the access token":                session.AccessToken,
		"the refresh token":               session.RefreshToken,
		"nothing":                         "",
		"nonsense":                        "a.b.c",
		"without a signature":             parts[0] + "." + parts[1] + ".",
		"with a changed body":             parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"usr_1"}`)) + "." + parts[2],
		"with padding":                    session.IDToken + "=",
		"with a word before it":           "Bearer " + session.IDToken,
		"a huge one":                      session.IDToken + strings.Repeat("A", 5000),
		"unsigned":                        signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good()),
		"signed with the public key":      signed(jwt.SigningMethodHS256, []byte(public), good()),
		"signed by somebody under our id": signed(jwt.SigningMethodEdDSA, stranger, good()),
		"of another gateway":              rival.login(t).IDToken,
		"for another audience":            with("aud", "others"),
		"from another issuer":             with("iss", "others"),
		"without an end":                  with("exp", nil),
		"without an audience":             with("aud", nil),
		"without a use":                   with("token_use", nil),
		"for another use":                 with("token_use", "refresh"),
		"of nobody":                       with("sub", nil),
		"of no user's id":                 with("sub", f.user.Tenant.String()),
		"not yet good":                    with("nbf", start.Add(time.Second).Unix()),
	} {
		if _, err := f.check(t, token); err != auth.ErrTokenInvalid {
			t.Errorf("%s gave %v", name, err)
		}
	}
	// What has expired and is wrong besides is wrong, not expired.
	f.now = start.Add(time.Hour)
	for name, token := range map[string]string{
		"the access token": session.AccessToken, "a changed one": session.IDToken[:len(session.IDToken)-4] + "AAAA", "of another gateway": rival.login(t).IDToken,
	} {
		if _, err := f.check(t, token); err != auth.ErrTokenInvalid {
			t.Errorf("%s, an hour later, gave %v", name, err)
		}
	}
	if _, err := f.check(t, session.IDToken); err != auth.ErrTokenExpired {
		t.Errorf("the good one, an hour later, gave %v", err)
	}
}

func TestKeysAreRotatedWithoutEndingSessions(t *testing.T) {
	f := newOffice(t, auth.TokenOptions{})
	before := f.login(t)
	if err := f.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := f.login(t)
	ids := keyIDs(t, f.JWKS())
	if len(ids) != 2 || kidOf(t, before.IDToken) != ids[0] || kidOf(t, after.IDToken) != ids[1] {
		t.Errorf("the keys are %v", ids)
	}
	for name, session := range map[string]*auth.Session{"before": before, "after": after} {
		if _, err := f.check(t, session.IDToken); err != nil {
			t.Errorf("a token from %s the rotation: %v", name, err)
		}
	}
	stored, err := f.store.Setting(t.Context(), "token-keys")
	if err != nil || strings.Count(string(stored), "seed") != 1 {
		t.Errorf("old private keys are kept: %v", err)
	}
	f.open(t, auth.TokenOptions{}) // the process begins anew
	if _, err := f.check(t, before.IDToken); err != nil {
		t.Errorf("after a new start: %v", err)
	}
	if _, err := f.Refresh(t.Context(), before.RefreshToken); err != nil {
		t.Errorf("refreshing: %v", err)
	}
	f.now = f.now.Add(25 * time.Hour)
	if ids := keyIDs(t, f.JWKS()); len(ids) != 1 || ids[0] != kidOf(t, after.IDToken) {
		t.Errorf("a day later the keys are %v", ids)
	}
}

func TestAKeySignsForItsLifeOnly(t *testing.T) {
	f := newOffice(t, auth.TokenOptions{KeyLife: time.Hour})
	first := kidOf(t, f.login(t).IDToken)
	f.now = f.now.Add(time.Hour - time.Second)
	if kidOf(t, f.login(t).IDToken) != first {
		t.Error("the key changed before its time")
	}
	f.now = f.now.Add(time.Second)
	if kidOf(t, f.login(t).IDToken) == first {
		t.Error("the key did not change")
	}
}

func TestATokenSignedByAnotherProcessWithANewKeyIsTaken(t *testing.T) {
	f := newOffice(t, auth.TokenOptions{})
	other := &office{store: f.store, now: f.now, user: f.user}
	other.open(t, auth.TokenOptions{})
	if err := other.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	session := other.login(t)
	f.now = f.now.Add(6 * time.Second)
	if _, err := f.check(t, session.IDToken); err != nil {
		t.Error(err)
	}
}

func TestARefreshTokenIsUsedOnceAndReuseEndsItsFamily(t *testing.T) {
	f := newOffice(t, auth.TokenOptions{})
	first, other := f.login(t), f.login(t)
	second, err := f.Refresh(t.Context(), first.RefreshToken)
	if err != nil || second.User.ID != f.user.ID || second.RefreshToken == first.RefreshToken {
		t.Fatal(second, err)
	}
	if random, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(second.RefreshToken, "pr_refresh_")); len(random) != 32 {
		t.Errorf("the token is %s", second.RefreshToken)
	}
	if _, err := f.Refresh(t.Context(), first.RefreshToken); err != auth.ErrTokenReused {
		t.Errorf("using a token twice gave %v", err)
	}
	if _, err := f.Refresh(t.Context(), second.RefreshToken); err == nil {
		t.Error("the thief's or the owner's token still works")
	}
	if _, err := f.Refresh(t.Context(), other.RefreshToken); err != nil {
		t.Errorf("another login's token: %v", err)
	}
	for _, token := range []string{"", "x", strings.Repeat("x", 5000), first.IDToken} {
		if _, err := f.Refresh(t.Context(), token); err != auth.ErrTokenInvalid {
			t.Errorf("%.10q gave %v", token, err)
		}
	}
}

func TestARefreshTokenEndsWithItsTimeAndItsUser(t *testing.T) {
	f := newOffice(t, auth.TokenOptions{RefreshLife: time.Hour})
	session := f.login(t)
	f.now = f.now.Add(time.Hour)
	if _, err := f.Refresh(t.Context(), session.RefreshToken); err != auth.ErrTokenInvalid {
		t.Errorf("after its time: %v", err)
	}
	disable := func(disabled bool) error {
		_, err := f.store.UpdateUser(t.Context(), f.user.Tenant, f.user.ID, store.UserPatch{Disabled: &disabled}, f.now.UTC())
		return err
	}
	for _, end := range []struct {
		name string
		do   func() error
	}{
		{"disabled", func() error { return disable(true) }},
		{"deleted", func() error { return f.store.DeleteUser(t.Context(), f.user.Tenant, f.user.ID) }},
	} {
		name := end.name
		if err := disable(false); err != nil {
			t.Fatal(err)
		}
		f.Forget()
		session = f.login(t)
		if _, err := f.check(t, session.IDToken); err != nil {
			t.Fatal(err)
		}
		if err := end.do(); err != nil {
			t.Fatal(err)
		}
		f.Forget()
		if _, err := f.check(t, session.IDToken); err != auth.ErrTokenRevoked {
			t.Errorf("the ID token of a %s user gave %v", name, err)
		}
		if _, err := f.Refresh(t.Context(), session.RefreshToken); postrider.ErrorCode(err) != postrider.CodeUnauthenticated {
			t.Errorf("the refresh token of a %s user gave %v", name, err)
		}
		if _, err := f.Open(t.Context(), f.user); err != auth.ErrTokenRevoked {
			t.Errorf("a session for a %s user gave %v", name, err)
		}
	}
}

func TestAUserIsLookedUpOnceInTenSecondsAndAgainWhenForgotten(t *testing.T) {
	f := newOffice(t, auth.TokenOptions{Life: time.Hour})
	counted := &countedUsers{Store: f.store}
	tokens, err := auth.NewTokens(t.Context(), auth.TokenOptions{Life: time.Hour, Now: func() time.Time { return f.now }}, counted)
	if err != nil {
		t.Fatal(err)
	}
	session, err := tokens.Open(t.Context(), f.user)
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		after  time.Duration
		forget bool
		asked  int64
	}{{0, false, 1}, {9 * time.Second, false, 1}, {time.Second, false, 2}, {0, true, 3}, {0, false, 3}} {
		if f.now = f.now.Add(step.after); step.forget {
			tokens.Forget()
		}
		if _, err := tokens.Check(t.Context(), session.IDToken, f.now); err != nil {
			t.Fatal(err)
		}
		if counted.asked.Load() != step.asked {
			t.Errorf("step %d: the store was asked %d times, want %d", i, counted.asked.Load(), step.asked)
		}
	}
}

type countedUsers struct {
	*memory.Store
	asked atomic.Int64
}

func (c *countedUsers) FindUser(ctx context.Context, id postrider.UserID) (*postrider.User, error) {
	c.asked.Add(1)
	return c.Store.FindUser(ctx, id)
}

func TestASessionDoesNotPrint(t *testing.T) {
	f := newOffice(t, auth.TokenOptions{})
	session := f.login(t)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, printed := range []string{fmt.Sprintf(format, session), fmt.Sprintf(format, *session)} {
			if strings.Contains(printed, session.RefreshToken) || strings.Contains(printed, session.IDToken) {
				t.Errorf("%s prints %s", format, printed)
			}
		}
	}
}

func TestTheErrorsOfTokensAreToldApart(t *testing.T) {
	all := []error{auth.ErrTokenExpired, auth.ErrTokenInvalid, auth.ErrTokenRevoked, auth.ErrTokenReused}
	for i, a := range all {
		for j, b := range all {
			if errors.Is(a, b) != (i == j) {
				t.Errorf("%v and %v", a, b)
			}
		}
		if postrider.ErrorCode(a) != postrider.CodeUnauthenticated {
			t.Errorf("%v is of another code", a)
		}
	}
}

func signingSeed(t *testing.T, settings store.Settings) ed25519.PrivateKey {
	t.Helper()
	text, err := settings.Setting(t.Context(), "token-keys")
	if err != nil {
		t.Fatal(err)
	}
	var keys []struct{ Seed []byte }
	if err := json.Unmarshal(text, &keys); err != nil {
		t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(keys[len(keys)-1].Seed)
}

func keyIDs(t *testing.T, jwks []byte) []string {
	t.Helper()
	var set struct {
		Keys []struct{ Kid, Kty, Crv, Alg, Use, X, D string }
	}
	if err := json.Unmarshal(jwks, &set); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, key := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(key.X)
		if key.Kty != "OKP" || key.Crv != "Ed25519" || key.Alg != "EdDSA" || key.Use != "sig" || len(x) != 32 || err != nil || key.D != "" {
			t.Errorf("a key is %+v", key)
		}
		ids = append(ids, key.Kid)
	}
	return ids
}

func kidOf(t *testing.T, token string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	if err != nil {
		t.Fatal(err)
	}
	var header struct{ Kid, Alg string }
	if err := json.Unmarshal(text, &header); err != nil || header.Alg != "EdDSA" {
		t.Fatal(header, err)
	}
	return header.Kid
}
