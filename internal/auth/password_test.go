package auth_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
)

const goodPassword = "correct horse 7"

// cheap are passwords whose hashing takes next to nothing.
func cheap(o auth.PasswordOptions) *auth.Passwords {
	o.MemoryKiB, o.Passes = 64, 1
	return auth.NewPasswords(o)
}

func admitted() error { return nil }

func TestAPasswordIsKeptAsAPHCStringOfArgon2id(t *testing.T) {
	ctx, passwords := context.Background(), auth.NewPasswords(auth.PasswordOptions{})
	secret := postrider.NewSecret(goodPassword)
	first, err := passwords.Hash(ctx, secret)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(first, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(first, goodPassword) || strings.Count(first, "$") != 5 {
		t.Errorf("the hash is %s", first)
	}
	second, err := passwords.Hash(ctx, secret)
	if err != nil || second == first {
		t.Errorf("two hashes of one password are the same: %v", err)
	}
	for password, want := range map[string]bool{goodPassword: true, goodPassword + " ": false, "": false, "correct horse 8": false} {
		good, stale, err := passwords.Verify(ctx, first, postrider.NewSecret(password), admitted)
		if good != want || stale || err != nil {
			t.Errorf("verifying %q gave %v %v %v", password, good, stale, err)
		}
	}
}

// TestAnotherImplementationsHashIsVerified holds our reading of the format against a hash that the
// reference implementation's own tests hold: the password "password", the salt "somesalt".
func TestAnotherImplementationsHashIsVerified(t *testing.T) {
	const theirs = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	good, stale, err := auth.NewPasswords(auth.PasswordOptions{}).Verify(context.Background(), theirs, postrider.NewSecret("password"), admitted)
	if !good || !stale || err != nil {
		t.Errorf("verifying gave %v %v %v", good, stale, err)
	}
}

func TestAHashOfAnotherCostIsStale(t *testing.T) {
	ctx, secret := context.Background(), postrider.NewSecret(goodPassword)
	old, err := auth.NewPasswords(auth.PasswordOptions{MemoryKiB: 32, Passes: 1}).Hash(ctx, secret)
	if err != nil {
		t.Fatal(err)
	}
	if good, stale, err := cheap(auth.PasswordOptions{}).Verify(ctx, old, secret, admitted); !good || !stale || err != nil {
		t.Errorf("verifying gave %v %v %v", good, stale, err)
	}
}

func TestADamagedHashIsAnErrorThatDoesNotShowIt(t *testing.T) {
	passwords := cheap(auth.PasswordOptions{})
	for _, stored := range []string{
		"x", "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHRzYWx0$c29tZXNhbHRzYWx0c29tZXNhbHQ", "$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHRzYWx0$c29tZXNhbHRzYWx0c29tZXNhbHQ",
		"$argon2id$v=19$m=999999999,t=1,p=1$c29tZXNhbHRzYWx0$c29tZXNhbHRzYWx0c29tZXNhbHQ", "$argon2id$v=19$m=64,t=99,p=1$c29tZXNhbHRzYWx0$c29tZXNhbHRzYWx0c29tZXNhbHQ",
		"$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHRzYWx0$c29tZXNhbHRzYWx0c29tZXNhbHQ", "$argon2id$v=19$m=64,t=1,p=1,x=2$c29tZXNhbHRzYWx0$c29tZXNhbHRzYWx0c29tZXNhbHQ",
		"$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzYWx0$", "$argon2id$v=19$m=64,t=1,p=1$!$c29tZXNhbHRzYWx0c29tZXNhbHQ",
	} {
		good, _, err := passwords.Verify(context.Background(), stored, postrider.NewSecret(goodPassword), admitted)
		if good || postrider.ErrorCode(err) != postrider.CodeInternal || strings.Contains(err.Error(), "c29t") {
			t.Errorf("%s gave %v %v", stored, good, err)
		}
	}
}

func TestTheRuleOfPasswords(t *testing.T) {
	for password, want := range map[string]string{
		"base 64 encoded password": "", // of the seed's collection (001.20)
		"1234567ü":                 "", "passwor7": "",
		"":                  "needs at least 8 characters",
		"passwo7":           "needs at least 8 characters",
		"ääääää7":           "needs at least 8 characters", // 13 bytes
		"password":          "needs at least one digit",
		"password٣":         "needs at least one digit",
		"password7\xff":     "is not good UTF-8",
		longPassword(1025):  "has at most 1024 bytes",
		longPassword(1024):  "",
		"        1        ": "",
	} {
		err := auth.CheckPassword(postrider.NewSecret(password))
		if got := message(err); got != want {
			t.Errorf("%.20q: %q, want %q", password, got, want)
		}
	}
}

func longPassword(length int) string { return strings.Repeat("7", length) }

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestOnlyTheWholeOfALongPasswordIsGood(t *testing.T) {
	ctx, passwords := context.Background(), cheap(auth.PasswordOptions{})
	stored, err := passwords.Hash(ctx, postrider.NewSecret(longPassword(1024)))
	if err != nil {
		t.Fatal(err)
	}
	for length, want := range map[int]bool{1024: true, 1023: false, 1025: false, 100_000: false} {
		if good, _, err := passwords.Verify(ctx, stored, postrider.NewSecret(longPassword(length)), admitted); good != want || err != nil {
			t.Errorf("%d characters gave %v %v", length, good, err)
		}
	}
}

// TestAnUnknownNameCostsAsMuchAsAWrongPassword counts what a login does instead of timing it.
func TestAnUnknownNameCostsAsMuchAsAWrongPassword(t *testing.T) {
	ctx, passwords := context.Background(), cheap(auth.PasswordOptions{})
	stored, err := passwords.Hash(ctx, postrider.NewSecret(goodPassword))
	if err != nil {
		t.Fatal(err)
	}
	for name, hash := range map[string]string{"an unknown name": "", "a wrong password": stored} {
		before := passwords.Hashes()
		if good, stale, err := passwords.Verify(ctx, hash, postrider.NewSecret("wrong horse 7"), admitted); good || stale || err != nil {
			t.Errorf("%s gave %v %v %v", name, good, stale, err)
		}
		if n := passwords.Hashes() - before; n != 1 {
			t.Errorf("%s costs %d hashes", name, n)
		}
	}
}

// TestHashesAreBoundedAndWaitingToo holds hashes up in admit, which stands between the wait and the hash.
func TestHashesAreBoundedAndWaitingToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		passwords := cheap(auth.PasswordOptions{AtOnce: 2, Waiting: 3})
		release := make(chan struct{})
		var mu sync.Mutex
		under, most := 0, 0
		admit := func() error {
			mu.Lock()
			under++
			most = max(most, under)
			mu.Unlock()
			<-release
			mu.Lock()
			under--
			mu.Unlock()
			return nil
		}
		verify := func(ctx context.Context) error {
			_, _, err := passwords.Verify(ctx, "", postrider.NewSecret(goodPassword), admit)
			return err
		}
		ended := make(chan error, 4)
		for range 4 {
			go func() { ended <- verify(t.Context()) }()
		}
		synctest.Wait()
		impatient, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() { gone <- verify(impatient) }()
		synctest.Wait()

		err := verify(t.Context()) // the sixth: two hash, three wait
		told, ok := errors.AsType[*postrider.Error](err)
		if !ok || told.Code != postrider.CodeUnavailable || told.RetryAfter <= 0 {
			t.Errorf("one more than may wait gave %v", err)
		}
		cancel()
		if err := <-gone; postrider.ErrorCode(err) != postrider.CodeUnavailable || !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who went away got %v", err)
		}
		close(release)
		for range 4 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if most != 2 {
			t.Errorf("%d hashes were under way at the same time, want 2", most)
		}
		if err := verify(t.Context()); err != nil {
			t.Errorf("after all that nothing is free: %v", err)
		}
	})
}

func TestWhoIsNotAdmittedCostsNoHash(t *testing.T) {
	passwords := cheap(auth.PasswordOptions{})
	refusal := errors.New("refused")
	if _, _, err := passwords.Verify(t.Context(), "", postrider.NewSecret(goodPassword), func() error { return refusal }); err != refusal || passwords.Hashes() != 0 {
		t.Errorf("it gave %v after %d hashes", err, passwords.Hashes())
	}
}
