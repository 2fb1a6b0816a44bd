package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// What is wrong with a token. All are of CodeUnauthenticated; errors.Is tells them apart.
var (
	ErrTokenExpired = postrider.Errorf(postrider.CodeUnauthenticated, "the token has expired; log in again")
	ErrTokenInvalid = postrider.Errorf(postrider.CodeUnauthenticated, "this is no ID token of this gateway")
	ErrTokenRevoked = postrider.Errorf(postrider.CodeUnauthenticated, "the user of this token may not log in any more")
	// ErrTokenReused says that a refresh token was used a second time: one of its two users stole it,
	// so that the whole family of tokens has ended.
	ErrTokenReused = postrider.Errorf(postrider.CodeUnauthenticated, "the refresh token was used before; log in again")
)

// TokenStore is what Tokens asks of a database.
type TokenStore interface {
	store.Users
	store.Tokens
	store.Settings
}

// TokenOptions shape Tokens. Zero fields have the defaults named here.
type TokenOptions struct {
	Life        time.Duration    // of ID and access tokens: 480 s (001.4); at most 24 h
	RefreshLife time.Duration    // of a refresh token: 30 days
	KeyLife     time.Duration    // how long one key signs: 90 days
	CacheLife   time.Duration    // how long a user is remembered: 10 s; Forget ends it at once
	Issuer      string           // "postrider"
	Now         func() time.Time // the clock of what is issued: time.Now
}

// Tokens gives users tokens and checks them: JWTs signed with Ed25519 (RFC 7519, RFC 8037) that live
// for minutes, and refresh tokens, random texts of which only the hash is stored, that are used once.
// It is safe for concurrent use.
type Tokens struct {
	options TokenOptions
	store   TokenStore
	signers *signers
	users   *memory[postrider.UserID, Principal]
}

// Session is what a login gives. It does not print.
type Session struct {
	IDToken      string // says who the user is; sent with every call
	AccessToken  string // not taken for an ID token (A001-6)
	RefreshToken string // gets the next Session, once
	IssuedAt     time.Time
	ExpiresAt    time.Time // of the ID and the access token
	User         *postrider.User
}

// Format hides the tokens from every verb of fmt.
func (s Session) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, "[session]") }

// LogValue hides the tokens from slog.
func (s Session) LogValue() slog.Value { return slog.StringValue("[session]") }

// claims are what a token says.
type claims struct {
	jwt.RegisteredClaims
	Use    string `json:"token_use"` // as Cognito names it (A001-6)
	Login  string `json:"email,omitempty"`
	Tenant string `json:"tenant,omitempty"`
	Role   string `json:"role,omitempty"`
}

const (
	useID     = "id"
	useAccess = "access"
	audience  = "postrider"
	// maxTokenLength bounds the text of a token, in bytes; one of ours has about 600.
	maxTokenLength = 4096
	refreshPrefix  = "pr_refresh_"
	usersKept      = 10_000
)

// NewTokens makes Tokens over the stored keys; the first start makes one.
func NewTokens(ctx context.Context, o TokenOptions, s TokenStore) (*Tokens, error) {
	if o.Life <= 0 {
		o.Life = 480 * time.Second
	}
	o.Life = max(min(o.Life, maxTokenLife), time.Second).Truncate(time.Second)
	if o.RefreshLife <= 0 {
		o.RefreshLife = 30 * 24 * time.Hour
	}
	if o.KeyLife <= 0 {
		o.KeyLife = 90 * 24 * time.Hour
	}
	if o.CacheLife <= 0 {
		o.CacheLife = 10 * time.Second
	}
	if o.Issuer == "" {
		o.Issuer = "postrider"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	keys, err := loadSigners(ctx, s, o.KeyLife, o.Now().UTC())
	if err != nil {
		return nil, err
	}
	return &Tokens{options: o, store: s, signers: keys, users: newMemory[postrider.UserID, Principal](o.CacheLife, usersKept)}, nil
}

// Life is how long ID tokens live.
func (t *Tokens) Life() time.Duration { return t.options.Life }

// Open begins a session for a user whose password was right.
func (t *Tokens) Open(ctx context.Context, user *postrider.User) (*Session, error) {
	now := t.now()
	text, token := t.newRefreshToken(now)
	token.User, token.Family = user.ID, postrider.NewID(now)
	err := t.store.CreateToken(ctx, token)
	if postrider.ErrorCode(err) == postrider.CodeNotFound {
		return nil, ErrTokenRevoked // deleted or disabled while the password was checked
	}
	if err != nil {
		return nil, err
	}
	return t.session(ctx, user, text, now)
}

// Refresh uses a refresh token up and gives the session that follows. The errors are ErrTokenInvalid,
// ErrTokenReused, ErrTokenRevoked and those of the store.
func (t *Tokens) Refresh(ctx context.Context, refreshToken string) (*Session, error) {
	if len(refreshToken) > maxTokenLength {
		return nil, ErrTokenInvalid
	}
	now := t.now()
	text, token := t.newRefreshToken(now)
	err := t.store.RotateToken(ctx, sha256.Sum256([]byte(refreshToken)), token, now)
	switch postrider.ErrorCode(err) {
	case "":
	case postrider.CodeNotFound:
		return nil, ErrTokenInvalid
	case postrider.CodeConflict:
		return nil, ErrTokenReused
	default:
		return nil, err
	}
	user, err := t.store.FindUser(ctx, token.User)
	if postrider.ErrorCode(err) == postrider.CodeNotFound || err == nil && user.Disabled {
		return nil, ErrTokenRevoked
	}
	if err != nil {
		return nil, err
	}
	return t.session(ctx, user, text, now)
}

// Check finds the principal of an ID token: the user's role and tenant as they are now, not as they
// were when the token was made. The errors are ErrTokenExpired for a good token whose time is over,
// ErrTokenRevoked for that of a user who was deleted or disabled, ErrTokenInvalid for everything else
// that is sent, and those of the store.
func (t *Tokens) Check(ctx context.Context, idToken string, now time.Time) (Principal, error) {
	id, err := t.read(ctx, idToken, now)
	if err != nil {
		return Principal{}, err
	}
	principal, found, ticket := t.users.recall(id, now)
	if found {
		return principal, nil
	}
	user, err := t.store.FindUser(ctx, id)
	if postrider.ErrorCode(err) == postrider.CodeNotFound || err == nil && user.Disabled {
		return Principal{}, ErrTokenRevoked
	}
	if err != nil {
		return Principal{}, err
	}
	principal = Principal{Role: user.Role, Tenant: user.Tenant, Environment: postrider.Production, UserID: user.ID}
	t.users.remember(id, principal, now, time.Time{}, ticket)
	return principal, nil
}

// Lasting gives the session with an ID and an access token that live so long from when it began, at
// most 24 h, for a surface whose clients count on another life than Life.
func (t *Tokens) Lasting(ctx context.Context, session *Session, life time.Duration) (*Session, error) {
	other := *session
	other.ExpiresAt = session.IssuedAt.Add(max(min(life, maxTokenLife), time.Second).Truncate(time.Second))
	return t.signed(ctx, &other)
}

// Forget drops what is remembered of users. Changing or deleting one calls it, so that the next call
// with a token of theirs is judged anew.
func (t *Tokens) Forget() { t.users.forget() }

// Rotate makes a new key to sign with. Tokens of the one before stay good until they expire.
func (t *Tokens) Rotate(ctx context.Context) error { return t.signers.rotate(ctx, t.now()) }

// JWKS gives the public keys of all tokens that may be alive, as a JWK Set (RFC 7517).
func (t *Tokens) JWKS() []byte { return t.signers.jwks(t.now()) }

// read checks everything that the token itself tells, and gives whose it is.
func (t *Tokens) read(ctx context.Context, text string, now time.Time) (postrider.UserID, error) {
	if len(text) > maxTokenLength {
		return postrider.UserID{}, ErrTokenInvalid
	}
	var said claims
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithExpirationRequired(),
		jwt.WithIssuer(t.options.Issuer), jwt.WithAudience(audience), jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return now }))
	_, err := parser.ParseWithClaims(text, &said, func(token *jwt.Token) (any, error) {
		id, _ := token.Header["kid"].(string)
		if key, found := t.signers.public(ctx, id, now); found {
			return key, nil
		}
		return nil, jwt.ErrTokenUnverifiable
	})
	id, faulty := postrider.ParseUserID(said.Subject)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired) && said.Use == useID && !errors.Is(err, jwt.ErrTokenInvalidIssuer) && !errors.Is(err, jwt.ErrTokenInvalidAudience):
		return postrider.UserID{}, ErrTokenExpired
	case err != nil || said.Use != useID || faulty != nil:
		return postrider.UserID{}, ErrTokenInvalid
	}
	return id, nil
}

func (t *Tokens) session(ctx context.Context, user *postrider.User, refreshToken string, now time.Time) (*Session, error) {
	issued := now.Truncate(time.Second) // a JWT's times are whole seconds
	return t.signed(ctx, &Session{RefreshToken: refreshToken, IssuedAt: issued, ExpiresAt: issued.Add(t.options.Life), User: user})
}

// signed makes the ID and the access token of a session.
func (t *Tokens) signed(ctx context.Context, session *Session) (*Session, error) {
	key, err := t.signers.signing(ctx, t.now())
	if err != nil {
		return nil, err
	}
	user := session.User
	id := claims{Use: useID, Login: user.Login, Role: string(user.Role)}
	if !user.Tenant.IsZero() {
		id.Tenant = user.Tenant.String()
	}
	if session.IDToken, err = t.sign(id, session, key); err != nil {
		return nil, err
	}
	session.AccessToken, err = t.sign(claims{Use: useAccess}, session, key)
	return session, err
}

func (t *Tokens) sign(said claims, session *Session, key signingKey) (string, error) {
	said.RegisteredClaims = jwt.RegisteredClaims{
		Issuer: t.options.Issuer, Audience: jwt.ClaimStrings{audience}, Subject: session.User.ID.String(),
		IssuedAt: jwt.NewNumericDate(session.IssuedAt), ExpiresAt: jwt.NewNumericDate(session.ExpiresAt), ID: rand.Text(),
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, said)
	token.Header["kid"] = key.ID
	text, err := token.SignedString(ed25519.NewKeyFromSeed(key.Seed))
	if err != nil {
		return "", &postrider.Error{Code: postrider.CodeInternal, Err: err}
	}
	return text, nil
}

// newRefreshToken makes the text of a refresh token, with 256 bits from crypto/rand, and what is
// stored of it.
func (t *Tokens) newRefreshToken(now time.Time) (string, *postrider.RefreshToken) {
	var random [32]byte
	// crypto/rand.Read never fails: it ends the program instead (crypto/rand documentation).
	_, _ = rand.Read(random[:])
	text := refreshPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	return text, &postrider.RefreshToken{Hash: sha256.Sum256([]byte(text)), CreatedAt: now, ExpiresAt: now.Add(t.options.RefreshLife)}
}

func (t *Tokens) now() time.Time { return t.options.Now().UTC().Truncate(time.Millisecond) }
