package auth_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
)

// stored are keys in memory that count how often they are asked for.
type stored struct {
	mu    sync.Mutex
	keys  map[[32]byte]postrider.Key
	asked int
	wait  chan struct{} // when not nil, FindKey waits here after reading
	began chan struct{}
}

func (s *stored) FindKey(_ context.Context, hash [32]byte) (*postrider.Key, error) {
	s.mu.Lock()
	key, found := s.keys[hash]
	s.asked++
	wait, began := s.wait, s.began
	s.mu.Unlock()
	if wait != nil {
		close(began)
		<-wait
	}
	if !found {
		return nil, postrider.Errorf(postrider.CodeNotFound, "no key")
	}
	return &key, nil
}

func (s *stored) add(key postrider.Key) string {
	text, hash := auth.GenerateKey(key.Environment)
	key.Hash = hash
	if s.keys == nil {
		s.keys = map[[32]byte]postrider.Key{}
	}
	s.keys[hash] = key
	return text.Reveal()
}

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func TestAFoundKeyIsRememberedForItsLifeAndNoLonger(t *testing.T) {
	keys, at := &stored{}, &clock{now: time.Unix(1_700_000_000, 0)}
	text := keys.add(postrider.Key{Role: postrider.RoleAdmin, Environment: postrider.Sandbox, Tenant: postrider.NewTenantID(at.now)})
	a := auth.New(auth.Options{CacheLife: 10 * time.Second, Now: at.Now}, keys)
	ask := func(wantAsked int) {
		t.Helper()
		p, err := a.Authenticate(context.Background(), "Bearer "+text)
		if err != nil || p.Role != postrider.RoleAdmin || p.Environment != postrider.Sandbox || p.Tenant.IsZero() {
			t.Fatalf("%+v %v", p, err)
		}
		if keys.asked != wantAsked {
			t.Errorf("the store was asked %d times, want %d", keys.asked, wantAsked)
		}
	}
	ask(1)
	ask(1)
	at.now = at.now.Add(10*time.Second - 1)
	ask(1)
	at.now = at.now.Add(1)
	ask(2)
	a.Forget()
	ask(3)
}

func TestAnExpiredKeyIsRefusedEvenWhenRemembered(t *testing.T) {
	keys, at := &stored{}, &clock{now: time.Unix(1_700_000_000, 0)}
	text := keys.add(postrider.Key{Role: postrider.RoleViewer, ExpiresAt: at.now.Add(3 * time.Second)})
	a := auth.New(auth.Options{Now: at.Now}, keys)
	if _, err := a.Key(context.Background(), text); err != nil {
		t.Fatal(err)
	}
	at.now = at.now.Add(3 * time.Second)
	if _, err := a.Key(context.Background(), text); postrider.ErrorCode(err) != postrider.CodeUnauthenticated || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an expired key gave %v", err)
	}
}

// TestAQueryUnderWayCannotBringARevokedKeyBack revokes while the store has read the key and the
// answer is still on its way.
func TestAQueryUnderWayCannotBringARevokedKeyBack(t *testing.T) {
	keys := &stored{wait: make(chan struct{}), began: make(chan struct{})}
	text := keys.add(postrider.Key{Role: postrider.RoleViewer})
	a := auth.New(auth.Options{}, keys)
	done := make(chan error)
	go func() {
		_, err := a.Key(context.Background(), text)
		done <- err
	}()
	<-keys.began
	keys.mu.Lock()
	clear(keys.keys)
	wait := keys.wait
	keys.wait = nil
	keys.mu.Unlock()
	a.Forget()
	close(wait)
	if err := <-done; err != nil {
		t.Errorf("the request that was first is refused: %v", err)
	}
	if _, err := a.Key(context.Background(), text); postrider.ErrorCode(err) != postrider.CodeUnauthenticated {
		t.Errorf("a revoked key gave %v", err)
	}
}

func TestTheMemoryIsBounded(t *testing.T) {
	keys := &stored{}
	a := auth.New(auth.Options{CacheSize: 10}, keys)
	texts := make([]string, 25)
	for i := range texts {
		texts[i] = keys.add(postrider.Key{Role: postrider.RoleViewer})
		if _, err := a.Key(context.Background(), texts[i]); err != nil {
			t.Fatal(err)
		}
	}
	asked := keys.asked
	for _, text := range texts {
		if _, err := a.Key(context.Background(), text); err != nil {
			t.Fatal(err)
		}
	}
	if again := keys.asked - asked; again < 15 {
		t.Errorf("of 25 keys, %d were asked for again: more than 10 were remembered", again)
	}
}

func TestHeadersThatAreNoBearerAreRefusedInPlainWords(t *testing.T) {
	keys := &stored{}
	text := keys.add(postrider.Key{Role: postrider.RoleViewer})
	a := auth.New(auth.Options{}, keys)
	for header, message := range map[string]string{
		"":                                   `this needs a key: send the header "Authorization: Bearer <key>"`,
		text:                                 `the Authorization header is not "Bearer <key>"`,
		"Basic " + text:                      `the Authorization header is not "Bearer <key>"`,
		"Bearer":                             `the Authorization header is not "Bearer <key>"`,
		"Bearer " + text + "x":               `the key is not known: it is mistyped, or was revoked`,
		"Bearer " + strings.Repeat("x", 257): `the key is not known: it is mistyped, or was revoked`,
	} {
		_, err := a.Authenticate(context.Background(), header)
		if postrider.ErrorCode(err) != postrider.CodeUnauthenticated || err.Error() != message {
			t.Errorf("%.20q gave %v", header, err)
		}
		if err != nil && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows the key: %v", err)
		}
	}
	for _, header := range []string{"Bearer " + text, "bearer " + text, "BEARER   " + text} {
		if _, err := a.Authenticate(context.Background(), header); err != nil {
			t.Errorf("%.8q gave %v", header, err)
		}
	}
}

func TestGeneratedKeysAreLongDifferentAndTellTheirEnvironment(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		text, hash := auth.GenerateKey(postrider.Sandbox)
		if hash != auth.HashKey(text.Reveal()) {
			t.Fatal("the hash is not the text's")
		}
		random, found := strings.CutPrefix(text.Reveal(), "pr_test_")
		if !found || len(random) != 52 || seen[random] {
			t.Fatalf("the key is %d characters behind its prefix", len(random))
		}
		seen[random] = true
	}
	if text, _ := auth.GenerateKey(postrider.Production); !strings.HasPrefix(text.Reveal(), "pr_live_") {
		t.Error("a production key does not begin with pr_live_")
	}
}

func TestTheTableOfWhoMayDoWhat(t *testing.T) {
	got := ""
	for _, action := range auth.Actions() {
		got += action.String() + ":"
		for _, role := range action.Roles() {
			got += " " + string(role)
		}
		got += "\n"
	}
	want := `event.publish: operator admin publisher
event.read: operator admin publisher viewer
delivery.read: operator admin publisher viewer
delivery.retry: operator admin
delivery.replay: operator admin
webhook.register: operator admin
webhook.read: operator admin viewer
webhook.update: operator admin
webhook.delete: operator admin
webhook.test: operator admin
tenant.create: operator
tenant.read: operator admin publisher viewer
key.create: operator admin
key.read: operator admin
key.revoke: operator admin
contract.read: operator admin publisher viewer
topic.read: operator admin publisher viewer
topic.write: operator
settings.read: operator admin viewer
settings.update: operator admin
user.create: operator admin
user.read: operator admin
user.update: operator admin
user.delete: operator admin
audit.read: operator admin
secrets.seal: operator
`
	if got != want {
		t.Errorf("the table is\n%s", got)
	}
	for _, role := range []postrider.Role{"", "root", "Operator"} {
		for _, action := range auth.Actions() {
			if auth.Allowed(role, action) {
				t.Errorf("role %q may do %s", role, action)
			}
		}
	}
}

func TestTheZeroPrincipalMayDoNothing(t *testing.T) {
	for _, action := range append(auth.Actions(), auth.ActionNone) {
		if err := (auth.Principal{}).Authorize(action); postrider.ErrorCode(err) != postrider.CodeUnauthenticated {
			t.Errorf("nobody asking for %s gave %v", action, err)
		}
	}
}

func TestAPrincipalChoosesAmongTheEnvironmentsItReaches(t *testing.T) {
	for _, test := range []struct {
		role  postrider.Role
		own   postrider.Environment
		named postrider.Environment
		want  postrider.Environment
		code  postrider.Code
	}{
		{postrider.RoleAdmin, postrider.Production, "", postrider.Production, ""},
		{postrider.RoleAdmin, postrider.Sandbox, "", postrider.Sandbox, ""},
		{postrider.RoleAdmin, postrider.Production, postrider.Sandbox, postrider.Sandbox, ""},
		{postrider.RoleAdmin, postrider.Sandbox, postrider.Production, "", postrider.CodeForbidden},
		{postrider.RoleOperator, postrider.Sandbox, postrider.Production, postrider.Production, ""},
		{postrider.RoleOperator, "", "", postrider.Production, ""},
		{postrider.RoleAdmin, postrider.Production, "staging", "", postrider.CodeInvalid},
	} {
		got, err := auth.Principal{Role: test.role, Environment: test.own}.In(test.named)
		if got != test.want || postrider.ErrorCode(err) != test.code {
			t.Errorf("%+v gave %q %v", test, got, err)
		}
	}
}

func TestARememberedKeyCostsNoAllocation(t *testing.T) {
	keys := &stored{}
	header := "Bearer " + keys.add(postrider.Key{Role: postrider.RoleViewer})
	a := auth.New(auth.Options{}, keys)
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := a.Authenticate(context.Background(), header); err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Errorf("it allocates %v times", allocations)
	}
}
