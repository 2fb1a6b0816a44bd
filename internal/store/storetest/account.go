package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// user makes a user of a tenant, or with the zero tenant of the operator.
func (b *bench) user(tenant postrider.TenantID, login string) *postrider.User {
	b.Helper()
	u := &postrider.User{ID: postrider.NewUserID(start), Tenant: tenant, Login: login, PasswordHash: "$argon2id$" + login,
		Role: postrider.RoleAdmin, CreatedAt: start, UpdatedAt: start}
	b.must(b.CreateUser(b.ctx, u))
	return u
}

// token gives a user a token that expires an hour after start.
func (b *bench) token(user postrider.UserID, hash byte) *postrider.RefreshToken {
	b.Helper()
	t := newToken(hash, start.Add(time.Hour))
	t.User, t.Family = user, postrider.NewID(start)
	b.must(b.CreateToken(b.ctx, t))
	return t
}

func newToken(hash byte, expires time.Time) *postrider.RefreshToken {
	return &postrider.RefreshToken{Hash: [32]byte{0: hash, 31: 0xaa}, CreatedAt: start, ExpiresAt: expires}
}

// rotate uses a token up for one with the hash next.
func (b *bench) rotate(token *postrider.RefreshToken, next byte, now time.Time) (*postrider.RefreshToken, error) {
	t := newToken(next, now.Add(time.Hour))
	return t, b.RotateToken(b.ctx, token.Hash, t, now)
}

func userTests() []test {
	return []test{
		{"a user is found by id and by login", func(b *bench) {
			mine, operators := b.user(b.acme, "ü@example.org"), b.user(postrider.TenantID{}, strings.Repeat("x", postrider.MaxLoginLength))
			for _, want := range []*postrider.User{mine, operators} {
				got, err := b.FindUser(b.ctx, want.ID)
				b.must(err)
				b.equal("by id", got, want)
				got, err = b.FindUserByLogin(b.ctx, want.Login)
				b.must(err)
				b.equal("by login", got, want)
			}
			_, err := b.FindUser(b.ctx, postrider.NewUserID(start))
			b.wantCode(err, postrider.CodeNotFound)
			_, err = b.FindUserByLogin(b.ctx, "Ü@example.org")
			b.wantCode(err, postrider.CodeNotFound)
		}},
		{"a login is taken once, in all tenants; a tenant must be there", func(b *bench) {
			b.user(b.acme, "ann")
			b.user(b.acme, "Ann")
			for _, tenant := range []postrider.TenantID{b.acme, b.other, {}} {
				b.wantCode(b.CreateUser(b.ctx, &postrider.User{ID: postrider.NewUserID(start), Tenant: tenant, Login: "ann"}), postrider.CodeConflict)
			}
			b.wantCode(b.CreateUser(b.ctx, &postrider.User{ID: postrider.NewUserID(start), Tenant: postrider.NewTenantID(start), Login: "bob"}), postrider.CodeNotFound)
		}},
		{"users are listed by tenant, by id, page by page", func(b *bench) {
			want := make(map[postrider.TenantID][]postrider.User)
			for i := range 15 {
				tenant := []postrider.TenantID{b.acme, b.other, {}}[i%3]
				want[tenant] = append(want[tenant], *b.user(tenant, fmt.Sprintf("user %d", 100-i)))
			}
			for tenant := range want {
				for _, limit := range []int{1, 2, 5, 1000} {
					var got []postrider.User
					for after := (postrider.UserID{}); ; after = got[len(got)-1].ID {
						page, err := b.Users(b.ctx, tenant, after, limit)
						b.must(err)
						if got = append(got, page...); len(page) < limit {
							break
						}
					}
					b.equal(fmt.Sprintf("pages of %d", limit), got, want[tenant])
				}
			}
		}},
		{"a patch changes what it names, in its own tenant", testUserPatch},
		{"a password, another role and being disabled end refresh tokens, and nothing else does", testPatchEndsTokens},
		{"a deleted user is gone with its tokens, and its login is free", func(b *bench) {
			u, beside := b.user(b.acme, "ann"), b.user(b.acme, "bob")
			token, stays := b.token(u.ID, 1), b.token(beside.ID, 2)
			for _, tenant := range []postrider.TenantID{b.other, {}, postrider.NewTenantID(start)} {
				b.wantCode(b.DeleteUser(b.ctx, tenant, u.ID), postrider.CodeNotFound)
			}
			b.must(b.DeleteUser(b.ctx, b.acme, u.ID))
			b.wantCode(b.DeleteUser(b.ctx, b.acme, u.ID), postrider.CodeNotFound)
			_, err := b.FindUser(b.ctx, u.ID)
			b.wantCode(err, postrider.CodeNotFound)
			_, err = b.rotate(token, 3, start)
			b.wantCode(err, postrider.CodeNotFound)
			_, err = b.rotate(stays, 4, start)
			b.must(err)
			b.user(b.other, "ann")
		}},
	}
}

func testUserPatch(b *bench) {
	for _, tenant := range []postrider.TenantID{b.acme, {}} {
		want := b.user(tenant, "ann "+tenant.String())
		patch := func(p store.UserPatch, change func()) {
			b.Helper()
			change()
			want.UpdatedAt = want.UpdatedAt.Add(time.Minute)
			got, err := b.UpdateUser(b.ctx, tenant, want.ID, p, want.UpdatedAt.Add(999))
			b.must(err)
			b.equal("answer", got, want)
			got, err = b.FindUser(b.ctx, want.ID)
			b.must(err)
			b.equal("stored", got, want)
		}
		patch(store.UserPatch{}, func() {})
		patch(store.UserPatch{PasswordHash: new("$new")}, func() { want.PasswordHash = "$new" })
		patch(store.UserPatch{Role: new(postrider.RoleViewer)}, func() { want.Role = postrider.RoleViewer })
		patch(store.UserPatch{Disabled: new(true)}, func() { want.Disabled = true })
		patch(store.UserPatch{Disabled: new(false), PasswordHash: new("$x")}, func() { want.Disabled, want.PasswordHash = false, "$x" })
		_, err := b.UpdateUser(b.ctx, b.other, want.ID, store.UserPatch{Disabled: new(true)}, start)
		b.wantCode(err, postrider.CodeNotFound)
		_, err = b.UpdateUser(b.ctx, tenant, postrider.NewUserID(start), store.UserPatch{}, start)
		b.wantCode(err, postrider.CodeNotFound)
		patch(store.UserPatch{}, func() {})
	}
}

func testPatchEndsTokens(b *bench) {
	for i, c := range []struct {
		name  string
		patch store.UserPatch
		ends  bool
	}{
		{"nothing", store.UserPatch{}, false},
		{"the same role", store.UserPatch{Role: new(postrider.RoleAdmin)}, false},
		{"not disabled", store.UserPatch{Disabled: new(false)}, false},
		{"password", store.UserPatch{PasswordHash: new("$2")}, true},
		{"role", store.UserPatch{Role: new(postrider.RoleViewer)}, true},
		{"disabled", store.UserPatch{Disabled: new(true)}, true},
	} {
		u, beside := b.user(b.acme, c.name), b.user(b.acme, c.name+" beside")
		token, other := b.token(u.ID, byte(10*i+1)), b.token(beside.ID, byte(10*i+2))
		_, err := b.UpdateUser(b.ctx, b.acme, u.ID, c.patch, start)
		b.must(err)
		if _, err = b.rotate(token, byte(10*i+3), start); c.ends {
			b.wantCode(err, postrider.CodeNotFound)
		} else if err != nil {
			b.Errorf("%s ends tokens: %v", c.name, err)
		}
		if _, err := b.rotate(other, byte(10*i+4), start); err != nil {
			b.Errorf("%s ends another user's tokens: %v", c.name, err)
		}
	}
}

func tokenTests() []test {
	return []test{
		{"a token is for a user that is there and not disabled, and its hash for one token", func(b *bench) {
			u := b.user(b.acme, "ann")
			token := b.token(u.ID, 1)
			b.wantCode(b.CreateToken(b.ctx, token), postrider.CodeConflict)
			lost := newToken(2, start.Add(time.Hour))
			lost.User = postrider.NewUserID(start)
			b.wantCode(b.CreateToken(b.ctx, lost), postrider.CodeNotFound)
			_, err := b.UpdateUser(b.ctx, b.acme, u.ID, store.UserPatch{Disabled: new(true)}, start)
			b.must(err)
			lost.User = u.ID
			b.wantCode(b.CreateToken(b.ctx, lost), postrider.CodeNotFound)
			_, err = b.rotate(lost, 3, start)
			b.wantCode(err, postrider.CodeNotFound)
		}},
		{"a token is used up for the next one of its family", func(b *bench) {
			u := b.user(b.acme, "ann")
			token := b.token(u.ID, 1)
			family := token.Family
			for i := range 5 {
				next, err := b.rotate(token, byte(2+i), start.Add(time.Duration(i)*30*time.Minute))
				b.must(err)
				if next.User != u.ID || next.Family != family {
					b.Errorf("rotation %d: user %s, family %s", i, next.User, next.Family.UUID())
				}
				token = next
			}
			_, err := b.rotate(newToken(99, start), 100, start)
			b.wantCode(err, postrider.CodeNotFound)
		}},
		{"an expired token is not found", func(b *bench) {
			token := b.token(b.user(b.acme, "ann").ID, 1)
			_, err := b.rotate(token, 2, token.ExpiresAt)
			b.wantCode(err, postrider.CodeNotFound)
			_, err = b.rotate(token, 2, token.ExpiresAt.Add(-time.Millisecond))
			b.must(err)
		}},
		{"a token used twice ends its family and no other", func(b *bench) {
			u := b.user(b.acme, "ann")
			stolen, other := b.token(u.ID, 1), b.token(u.ID, 2)
			second, err := b.rotate(stolen, 3, start)
			b.must(err)
			third, err := b.rotate(second, 4, start)
			b.must(err)
			_, err = b.rotate(stolen, 5, start)
			b.wantCode(err, postrider.CodeConflict)
			for i, t := range []*postrider.RefreshToken{stolen, second, third} {
				_, err := b.rotate(t, byte(6+i), start)
				b.wantCode(err, postrider.CodeNotFound)
			}
			_, err = b.rotate(other, 9, start)
			b.must(err)
		}},
		{"of many who use a token at once one gets the next", func(b *bench) {
			token := b.token(b.user(b.acme, "ann").ID, 1)
			const many = 16
			codes := make([]postrider.Code, many)
			var all sync.WaitGroup
			for i := range many {
				all.Go(func() {
					_, err := b.rotate(token, byte(2+i), start)
					codes[i] = postrider.ErrorCode(err)
				})
			}
			all.Wait()
			slices.Sort(codes)
			// The first gets a token, the second is told of the theft, and then there is nothing left.
			want := slices.Concat([]postrider.Code{"", postrider.CodeConflict}, slices.Repeat([]postrider.Code{postrider.CodeNotFound}, many-2))
			b.equal("codes", codes, want)
		}},
		{"ending a user's tokens leaves others'", func(b *bench) {
			ann, bob := b.user(b.acme, "ann"), b.user(b.acme, "bob")
			mine, mine2, his := b.token(ann.ID, 1), b.token(ann.ID, 2), b.token(bob.ID, 3)
			b.must(b.EndTokens(b.ctx, ann.ID))
			b.must(b.EndTokens(b.ctx, ann.ID))
			for i, t := range []*postrider.RefreshToken{mine, mine2} {
				_, err := b.rotate(t, byte(10+i), start)
				b.wantCode(err, postrider.CodeNotFound)
			}
			_, err := b.rotate(his, 12, start)
			b.must(err)
		}},
		{"expired tokens are removed in steps, used ones too", func(b *bench) {
			u := b.user(b.acme, "ann")
			for i := range 7 {
				_, err := b.rotate(b.token(u.ID, byte(i)), byte(100+i), start.Add(time.Minute))
				b.must(err)
			}
			// Seven expire an hour after start, seven a minute later.
			for _, step := range []struct {
				now         time.Time
				limit, want int
			}{
				{start.Add(time.Hour - 1), 100, 0},
				{start.Add(time.Hour), 0, 0},
				{start.Add(time.Hour), 5, 5},
				{start.Add(time.Hour), 5, 2},
				{start.Add(time.Hour), 5, 0},
				{start.Add(2 * time.Hour), 100, 7},
			} {
				got, err := b.PruneTokens(b.ctx, step.now, step.limit)
				b.must(err)
				if got != step.want {
					b.Errorf("%d of %d removed at %s, want %d", got, step.limit, step.now, step.want)
				}
			}
		}},
	}
}

func settingTests() []test {
	return []test{
		{"a setting is what was put last", func(b *bench) {
			_, err := b.Setting(b.ctx, "a")
			b.wantCode(err, postrider.CodeNotFound)
			for _, value := range [][]byte{[]byte("one"), {0, 0xff, '\n'}, bytes.Repeat([]byte("x"), 100_000), []byte("two")} {
				b.must(b.PutSetting(b.ctx, "a", value, false))
				b.must(b.PutSetting(b.ctx, "A", []byte("beside"), false))
				got, err := b.Setting(b.ctx, "a")
				b.must(err)
				b.equal("value", got, value)
			}
		}},
		{"with create the first stays", func(b *bench) {
			const many = 8
			errs := make([]error, many)
			var all sync.WaitGroup
			for i := range many {
				all.Go(func() { errs[i] = b.PutSetting(b.ctx, "a", []byte{byte(i)}, true) })
			}
			all.Wait()
			value, err := b.Setting(b.ctx, "a")
			b.must(err)
			for i, err := range errs {
				if (postrider.ErrorCode(err) == "") != (i == int(value[0])) || err != nil && postrider.ErrorCode(err) != postrider.CodeConflict {
					b.Errorf("%d of them is stored, %d was told %v", value[0], i, err)
				}
			}
			b.must(b.PutSetting(b.ctx, "a", []byte("new"), false))
			b.wantCode(b.PutSetting(b.ctx, "a", []byte("newer"), true), postrider.CodeConflict)
			value, err = b.Setting(b.ctx, "a")
			b.must(err)
			b.equal("value", value, []byte("new"))
		}},
	}
}

func vaultTests() []test {
	return []test{
		{"what was just written is sealed by the newest key", func(b *bench) {
			b.endpoint(b.acme, func(e *postrider.Endpoint) { e.Rotation, e.Auth = rotation(), fullAuth() })
			b.must(b.PutSetting(b.ctx, "a", []byte("value"), true))
			for _, call := range []func() (int, error){
				func() (int, error) { return b.Outdated(b.ctx) },
				func() (int, error) { return b.Reseal(b.ctx, 100) },
			} {
				if n, err := call(); n != 0 || err != nil {
					b.Errorf("%d outdated, %v", n, err)
				}
			}
		}},
	}
}

func auditTests() []test {
	return []test{
		{"entries are listed by tenant, the newest first, page by page", func(b *bench) {
			want := make(map[postrider.TenantID][]postrider.AuditEntry)
			for i := range 18 {
				tenant := []postrider.TenantID{b.acme, b.other, {}}[i%3]
				at := start.Add(time.Duration(i) * time.Second)
				e := postrider.AuditEntry{ID: postrider.NewID(at), At: at, Tenant: tenant, Actor: fmt.Sprint("key_", i),
					Action: "webhook.register", Subject: fmt.Sprint("wh_", i), Detail: "ü '\n"}
				b.must(b.AppendAudit(b.ctx, &e))
				want[tenant] = append([]postrider.AuditEntry{e}, want[tenant]...)
			}
			for tenant := range want {
				for _, limit := range []int{1, 4, 6, 1000} {
					var got []postrider.AuditEntry
					for before := (postrider.ID{}); ; before = got[len(got)-1].ID {
						page, err := b.AuditEntries(b.ctx, tenant, before, limit)
						b.must(err)
						if got = append(got, page...); len(page) < limit {
							break
						}
					}
					b.equal(fmt.Sprintf("pages of %d", limit), got, want[tenant])
				}
			}
			none, err := b.AuditEntries(b.ctx, postrider.NewTenantID(start), postrider.ID{}, 10)
			b.must(err)
			b.equal("an unknown tenant's", none, []postrider.AuditEntry(nil))
		}},
		{"an entry is never written over, and its tenant must be there", func(b *bench) {
			e := postrider.AuditEntry{ID: postrider.NewID(start), At: start, Tenant: b.acme, Action: "first"}
			b.must(b.AppendAudit(b.ctx, &e))
			again := e
			again.Action = "second"
			b.wantCode(b.AppendAudit(b.ctx, &again), postrider.CodeConflict)
			got, err := b.AuditEntries(b.ctx, b.acme, postrider.ID{}, 10)
			b.must(err)
			b.equal("entries", got, []postrider.AuditEntry{e})
			again.Tenant = postrider.NewTenantID(start)
			b.wantCode(b.AppendAudit(b.ctx, &again), postrider.CodeNotFound)
		}},
	}
}

// credentialTests are about what an endpoint asks for and the exchange of its secret.
func credentialTests() []test {
	return []test{
		{"an endpoint keeps its rotation and what it asks for", func(b *bench) {
			for _, auth := range append(everyAuth(), fullAuth()) {
				want := b.endpoint(b.acme, func(e *postrider.Endpoint) {
					e.Secrets = []postrider.Secret{postrider.NewSecret("old")}
					e.Rotation = rotation()
					e.Auth = auth
				})
				got, err := b.FindEndpoint(b.ctx, b.acme, want.ID)
				b.must(err)
				b.equal("found", got, want)
				got, err = b.LaneEndpoint(b.ctx, want.ID)
				b.must(err)
				b.equal("of a lane", got, want)
			}
		}},
		{"a patch begins and ends a rotation, and replaces what is asked for", testPatchCredentials},
		{"what a caller does to an endpoint's parts afterwards is not stored", func(b *bench) {
			auth := fullAuth()
			e := b.endpoint(b.acme, func(e *postrider.Endpoint) { e.Rotation, e.Auth = rotation(), auth })
			e.Rotation.Until, e.Auth.OAuth.Scope, e.Auth.Headers[0].Name = start, "changed", "changed"
			got, err := b.FindEndpoint(b.ctx, b.acme, e.ID)
			b.must(err)
			got.Auth.Basic.Username = "changed"
			got, err = b.FindEndpoint(b.ctx, b.acme, e.ID)
			b.must(err)
			b.equal("rotation", got.Rotation, rotation())
			b.equal("auth", got.Auth, fullAuth())
		}},
	}
}

func rotation() *postrider.SecretRotation {
	return &postrider.SecretRotation{Next: postrider.NewSecret("next ü\x00"), StartedAt: start, Until: start.Add(time.Hour)}
}

func fullAuth() postrider.EndpointAuth {
	return postrider.EndpointAuth{
		OAuth: &postrider.OAuthClient{TokenURL: "https://id.example/token", ClientID: "client", ClientSecret: postrider.NewSecret("client secret \u2028<&>"),
			Scope: "a b", Audience: "https://api.example", SecretInBody: true},
		Basic:       &postrider.BasicAuth{Username: "ü:", Password: postrider.NewSecret("pass \"word\"")},
		Headers:     []postrider.SecretHeader{{Name: "X-One", Value: postrider.NewSecret("1")}, {Name: "X-Two", Value: postrider.NewSecret("")}},
		Certificate: &postrider.ClientCertificate{Chain: "-----BEGIN CERTIFICATE-----\n", Key: postrider.NewSecret("-----BEGIN PRIVATE KEY-----\n")},
	}
}

// everyAuth has each part of fullAuth alone, and none.
func everyAuth() []postrider.EndpointAuth {
	full := fullAuth()
	return []postrider.EndpointAuth{{}, {OAuth: full.OAuth}, {Basic: full.Basic}, {Headers: full.Headers}, {Certificate: full.Certificate}}
}

func testPatchCredentials(b *bench) {
	want := b.endpoint(b.acme, func(e *postrider.Endpoint) { e.Secrets = []postrider.Secret{postrider.NewSecret("old")} })
	beside := b.endpoint(b.acme, func(e *postrider.Endpoint) { e.Rotation, e.Auth = rotation(), fullAuth() })
	patch := func(p store.EndpointPatch, change func(e *postrider.Endpoint)) {
		b.Helper()
		change(want)
		want.UpdatedAt = want.UpdatedAt.Add(time.Minute)
		got, err := b.UpdateEndpoint(b.ctx, b.acme, want.ID, p, want.UpdatedAt)
		b.must(err)
		b.equal("answer", got, want)
		got, err = b.FindEndpoint(b.ctx, b.acme, want.ID)
		b.must(err)
		b.equal("stored", got, want)
	}
	ended, secrets := (*postrider.SecretRotation)(nil), []postrider.Secret{postrider.NewSecret("next ü\x00")}
	patch(store.EndpointPatch{Rotation: new(rotation())}, func(e *postrider.Endpoint) { e.Rotation = rotation() })
	for _, auth := range append(everyAuth(), fullAuth()) {
		patch(store.EndpointPatch{Auth: &auth}, func(e *postrider.Endpoint) { e.Auth = auth })
	}
	patch(store.EndpointPatch{URL: new("https://new.example")}, func(e *postrider.Endpoint) { e.URL = "https://new.example" })
	patch(store.EndpointPatch{Rotation: &ended, Secrets: &secrets}, func(e *postrider.Endpoint) { e.Rotation, e.Secrets = nil, secrets })
	patch(store.EndpointPatch{Auth: new(postrider.EndpointAuth)}, func(e *postrider.Endpoint) { e.Auth = postrider.EndpointAuth{} })
	got, err := b.FindEndpoint(b.ctx, b.acme, beside.ID)
	b.must(err)
	b.equal("the endpoint beside", got, beside)
}
