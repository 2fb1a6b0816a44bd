package control_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/store/memory"
)

// door is a Control that people log in to, over a store in memory, at a clock that tests move.
type door struct {
	*control.Control
	store     *faulty
	passwords *auth.Passwords
	tokens    *auth.Tokens
	now       time.Time
	tenant    postrider.TenantID
	operator  auth.Principal
	admin     auth.Principal
}

// faulty is a store with hooks for what tests let happen.
type faulty struct {
	*memory.Store
	beforeAudit func() error
	afterDelete func()
}

func (f *faulty) AppendAudit(ctx context.Context, entry *postrider.AuditEntry) error {
	if f.beforeAudit != nil {
		if err := f.beforeAudit(); err != nil {
			return err
		}
	}
	return f.Store.AppendAudit(ctx, entry)
}

func (f *faulty) DeleteUser(ctx context.Context, tenant postrider.TenantID, id postrider.UserID) error {
	err := f.Store.DeleteUser(ctx, tenant, id)
	if f.afterDelete != nil {
		f.afterDelete()
	}
	return err
}

const (
	password = "correct horse 7"
	wrong    = "wrong horse 7"
)

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{store: &faulty{Store: memory.New()}, now: time.Unix(1_800_000_000, 0)}
	d.open(t, auth.PasswordOptions{MemoryKiB: 64, Passes: 1})
	d.operator = auth.Principal{Role: postrider.RoleOperator, Environment: postrider.Production, KeyID: postrider.NewKeyID(d.now)}
	tenant, err := d.CreateTenant(t.Context(), d.operator, "acme")
	if err != nil {
		t.Fatal(err)
	}
	d.tenant = tenant.ID
	d.admin = auth.Principal{Role: postrider.RoleAdmin, Environment: postrider.Production, Tenant: tenant.ID, KeyID: postrider.NewKeyID(d.now)}
	return d
}

// open makes the Control, as every start of the process does.
func (d *door) open(t *testing.T, o auth.PasswordOptions) {
	t.Helper()
	clock := func() time.Time { return d.now }
	tokens, err := auth.NewTokens(t.Context(), auth.TokenOptions{Now: clock}, d.store)
	if err != nil {
		t.Fatal(err)
	}
	contracts, err := contract.NewSet(contract.Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	d.tokens, d.passwords = tokens, auth.NewPasswords(o)
	h := &house{}
	d.Control = control.New(control.Options{Now: clock}, control.Parts{Store: d.store, Contracts: contracts, Subscriptions: h, Lanes: h, Tester: h, KeyMemory: h,
		Passwords: d.passwords, Tokens: tokens, CheckURL: func(string, bool) error { return nil }})
}

func (d *door) user(t *testing.T, login string, role postrider.Role) *postrider.User {
	t.Helper()
	user, err := d.CreateUser(t.Context(), d.operator, control.UserRequest{Tenant: tenantOf(role), Login: login, Password: postrider.NewSecret(password), Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return user
}

func tenantOf(role postrider.Role) string {
	if role == postrider.RoleOperator {
		return ""
	}
	return "acme"
}

func nowhere() netip.Addr { return netip.Addr{} }

// TestEveryBadLoginHasTheSameAnswerAndCostsOneHash looks at what a stranger could tell them apart by.
func TestEveryBadLoginHasTheSameAnswerAndCostsOneHash(t *testing.T) {
	d := newDoor(t)
	d.user(t, "ada", postrider.RoleAdmin)
	gone := d.user(t, "gone", postrider.RoleAdmin)
	disabled := true
	if _, err := d.UpdateUser(t.Context(), d.operator, "acme", gone.ID, control.UserChange{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string][2]string{
		"a wrong password": {"ada", wrong}, "no password": {"ada", ""}, "another's case": {"Ada", password}, "an unknown name": {"bob", password},
		"no name": {"", password}, "a disabled user": {"gone", password}, "a huge name": {strings.Repeat("x", 100_000), password},
		"a huge password": {"ada", strings.Repeat("7", 100_000)}, "bad UTF-8": {"ada\xff", password}, "a space more": {"ada", password + " "},
	} {
		before := d.passwords.Hashes()
		session, err := d.Login(t.Context(), try[0], try[1], nowhere())
		if session != nil || err != control.ErrLogin {
			t.Errorf("%s gave %v", name, err)
		}
		if n := d.passwords.Hashes() - before; n != 1 {
			t.Errorf("%s costs %d hashes", name, n)
		}
	}
	session, err := d.Login(t.Context(), "ada", password, nowhere())
	if err != nil {
		t.Fatal(err)
	}
	if p, err := d.tokens.Check(t.Context(), session.IDToken, d.now); err != nil || p.Tenant != d.tenant || p.Role != postrider.RoleAdmin {
		t.Errorf("the session is %+v's: %v", p, err)
	}
}

func TestTooManyFailuresAreThrottledForUnknownNamesToo(t *testing.T) {
	d := newDoor(t)
	d.user(t, "ada", postrider.RoleAdmin)
	for _, login := range []string{"ada", "nobody"} {
		for range 10 {
			if _, err := d.Login(t.Context(), login, wrong, nowhere()); err != control.ErrLogin {
				t.Fatal(err)
			}
		}
		before := d.passwords.Hashes()
		_, err := d.Login(t.Context(), login, password, nowhere())
		told, ok := errors.AsType[*postrider.Error](err)
		if !ok || told.Code != postrider.CodeRateLimited || told.RetryAfter <= 0 || d.passwords.Hashes() != before {
			t.Errorf("%s after ten failures: %v", login, err)
		}
	}
	d.now = d.now.Add(31 * time.Second)
	if _, err := d.Login(t.Context(), "ada", password, nowhere()); err != nil {
		t.Errorf("half a minute later: %v", err)
	}
}

// TestManyTriesAtOnceGetNoFurtherThanOneAfterAnother sends 100 wrong passwords together.
func TestManyTriesAtOnceGetNoFurtherThanOneAfterAnother(t *testing.T) {
	d := newDoor(t)
	d.user(t, "ada", postrider.RoleAdmin)
	d.open(t, auth.PasswordOptions{MemoryKiB: 64, Passes: 1, AtOnce: 2})
	before := d.passwords.Hashes()
	var wait sync.WaitGroup
	for range 100 {
		wait.Go(func() {
			if _, err := d.Login(t.Context(), "ada", wrong, nowhere()); err == nil {
				t.Error("a wrong password was good")
			}
		})
	}
	wait.Wait()
	if n := d.passwords.Hashes() - before; n != 10 {
		t.Errorf("%d passwords were tried; ten may fail", n)
	}
}

func TestManyGoodLoginsAtOnceAllSucceed(t *testing.T) {
	d := newDoor(t)
	d.user(t, "ada", postrider.RoleAdmin)
	var wait sync.WaitGroup
	for range 200 {
		wait.Go(func() {
			if _, err := d.Login(t.Context(), "ada", password, netip.MustParseAddr("192.0.2.1")); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

func TestALoginStoresThePasswordAtTheCostOfToday(t *testing.T) {
	d := newDoor(t)
	user := d.user(t, "ada", postrider.RoleAdmin)
	d.open(t, auth.PasswordOptions{MemoryKiB: 128, Passes: 2})
	for i, hashes := range []uint64{2, 1} { // the second login finds nothing to do
		before := d.passwords.Hashes()
		session, err := d.Login(t.Context(), "ada", password, nowhere())
		if err != nil {
			t.Fatal(err)
		}
		if n := d.passwords.Hashes() - before; n != hashes {
			t.Errorf("login %d cost %d hashes, want %d", i, n, hashes)
		}
		if _, err := d.RefreshLogin(t.Context(), session.RefreshToken); err != nil {
			t.Errorf("its refresh token: %v", err)
		}
	}
	stored, err := d.store.FindUser(t.Context(), user.ID)
	if err != nil || !strings.HasPrefix(stored.PasswordHash, "$argon2id$v=19$m=128,t=2,p=1$") {
		t.Errorf("stored is %s: %v", stored.PasswordHash, err)
	}
	if _, err := d.Login(t.Context(), "ada", wrong, nowhere()); err != control.ErrLogin {
		t.Errorf("a wrong password gave %v", err)
	}
}

func TestANewPasswordEndsRefreshTokensAndOldOnesAreWrong(t *testing.T) {
	d := newDoor(t)
	user := d.user(t, "ada", postrider.RoleAdmin)
	session, err := d.Login(t.Context(), "ada", password, nowhere())
	if err != nil {
		t.Fatal(err)
	}
	next := postrider.NewSecret("battery staple 9")
	if _, err := d.UpdateUser(t.Context(), d.admin, "", user.ID, control.UserChange{Password: &next}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.RefreshLogin(t.Context(), session.RefreshToken); postrider.ErrorCode(err) != postrider.CodeUnauthenticated {
		t.Errorf("the old refresh token gave %v", err)
	}
	if _, err := d.Login(t.Context(), "ada", password, nowhere()); err != control.ErrLogin {
		t.Errorf("the old password gave %v", err)
	}
	if _, err := d.Login(t.Context(), "ada", "battery staple 9", nowhere()); err != nil {
		t.Errorf("the new password gave %v", err)
	}
}

func TestNobodyLocksThemselvesOut(t *testing.T) {
	d := newDoor(t)
	yes, viewer, admin := true, postrider.RoleViewer, postrider.RoleAdmin
	for _, role := range []postrider.Role{postrider.RoleAdmin, postrider.RoleOperator} {
		user := d.user(t, "me as "+string(role), role)
		me := auth.Principal{Role: role, Tenant: user.Tenant, Environment: postrider.Production, UserID: user.ID}
		if err := d.DeleteUser(t.Context(), me, "", user.ID); postrider.ErrorCode(err) != postrider.CodeConflict {
			t.Errorf("deleting oneself gave %v", err)
		}
		if _, err := d.UpdateUser(t.Context(), me, "", user.ID, control.UserChange{Disabled: &yes}); postrider.ErrorCode(err) != postrider.CodeConflict {
			t.Errorf("disabling oneself gave %v", err)
		}
		secret := postrider.NewSecret("battery staple 9")
		if _, err := d.UpdateUser(t.Context(), me, "", user.ID, control.UserChange{Password: &secret}); err != nil {
			t.Errorf("changing one's own password gave %v", err)
		}
		if role == postrider.RoleAdmin {
			if _, err := d.UpdateUser(t.Context(), me, "", user.ID, control.UserChange{Role: &viewer}); postrider.ErrorCode(err) != postrider.CodeConflict {
				t.Errorf("lowering oneself gave %v", err)
			}
			if _, err := d.UpdateUser(t.Context(), me, "", user.ID, control.UserChange{Role: &admin}); err != nil {
				t.Errorf("keeping one's role gave %v", err)
			}
		}
		if err := d.DeleteUser(t.Context(), d.operator, "", user.ID); err != nil {
			t.Errorf("an operator deleting them gave %v", err)
		}
	}
}

func TestATenantHasABoundedNumberOfUsers(t *testing.T) {
	d := newDoor(t)
	h := &house{}
	small := control.New(control.Options{MaxUsers: 2}, control.Parts{Store: d.store, Subscriptions: h, Lanes: h, Tester: h, KeyMemory: h, Passwords: d.passwords, Tokens: d.tokens})
	for i, want := range []postrider.Code{"", "", postrider.CodeConflict} {
		_, err := small.CreateUser(t.Context(), d.admin, control.UserRequest{Login: string(rune('a' + i)), Password: postrider.NewSecret(password), Role: postrider.RoleViewer})
		if postrider.ErrorCode(err) != want {
			t.Errorf("user %d gave %v", i, err)
		}
	}
}

// TestAChangeThatCannotBeWrittenDownFails makes the audit log fail and holds what the caller is told.
func TestAChangeThatCannotBeWrittenDownFails(t *testing.T) {
	d := newDoor(t)
	d.store.beforeAudit = func() error { return postrider.Errorf(postrider.CodeStorageFull, "the disk is full") }
	_, text, err := d.CreateKey(t.Context(), d.admin, control.KeyRequest{Role: postrider.RoleViewer})
	if postrider.ErrorCode(err) != postrider.CodeStorageFull || !text.IsZero() || !strings.Contains(err.Error(), "could not be written into the audit log") {
		t.Errorf("it gave %v", err)
	}
}

func TestACallerWhoGoesAwayIsWrittenDownAllTheSame(t *testing.T) {
	d := newDoor(t)
	ctx, cancel := context.WithCancel(t.Context())
	d.store.afterDelete = cancel
	user := d.user(t, "ada", postrider.RoleViewer)
	if err := d.DeleteUser(ctx, d.admin, "", user.ID); err != nil {
		t.Fatal(err)
	}
	entries, _, err := d.AuditEntries(t.Context(), d.admin, "", false, postrider.ID{}, 1)
	if err != nil || len(entries) != 1 || entries[0].Action != "user.delete" || entries[0].Actor != d.admin.KeyID.String() || ctx.Err() == nil {
		t.Errorf("the last entry is %+v: %v", entries, err)
	}
}
