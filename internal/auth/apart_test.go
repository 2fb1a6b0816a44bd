package auth_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
)

// hashArgument makes this test program one of the processes that hash.
const hashArgument = "hash-passwords"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == hashArgument {
		if err := auth.ServeHashes(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// apart hashes in processes that the command makes, and gives what it logs.
func apart(t *testing.T, command ...string) (*auth.Passwords, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	a := auth.NewApart(command, slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(a.Close)
	return cheap(auth.PasswordOptions{AtOnce: 2, Apart: a}), log
}

func self(t *testing.T) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func TestAHashMadeApartIsTheSame(t *testing.T) {
	there, log := apart(t, self(t), hashArgument)
	here := cheap(auth.PasswordOptions{})
	secret := postrider.NewSecret("correct horse 7 \x00 ü \" ")
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			stored, err := there.Hash(t.Context(), secret)
			if err != nil {
				t.Error(err)
				return
			}
			for name, passwords := range map[string]*auth.Passwords{"here": here, "there": there} {
				if good, _, err := passwords.Verify(t.Context(), stored, secret, admitted); !good || err != nil {
					t.Errorf("verifying %s gave %v %v", name, good, err)
				}
				if good, _, err := passwords.Verify(t.Context(), stored, postrider.NewSecret(wrongPassword), admitted); good || err != nil {
					t.Errorf("verifying another password %s gave %v %v", name, good, err)
				}
			}
		})
	}
	wait.Wait()
	if log.Len() > 0 {
		t.Errorf("the log says %s", log)
	}
}

const wrongPassword = "wrong horse 7"

func TestPasswordsAreHashedHereWhenTheyCannotBeApart(t *testing.T) {
	for name, command := range map[string][]string{
		"no such program":            {self(t) + "-that-is-not-there"},
		"a program that ends":        {self(t), "-test.run=^$"},
		"a program that says others": {self(t), "-test.list=TestAHash"},
	} {
		passwords, log := apart(t, command...)
		secret := postrider.NewSecret(goodPassword)
		for range 3 {
			stored, err := passwords.Hash(t.Context(), secret)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if good, _, err := cheap(auth.PasswordOptions{}).Verify(t.Context(), stored, secret, admitted); !good || err != nil {
				t.Errorf("%s: the hash is not good: %v", name, err)
			}
		}
		if n := strings.Count(log.String(), "cannot be hashed in a process of their own"); n != 1 {
			t.Errorf("%s was told %d times: %s", name, n, log)
		}
	}
}

func TestAProcessThatHashesEndsWithItsInputAndTakesNoNonsense(t *testing.T) {
	for in, good := range map[string]bool{
		"": true, "\n": true, `{"password":`: true, // whoever asked has died
		`{"password":"YQ==","salt":"c29tZXNhbHQ=","memory":64,"passes":1,"lanes":1,"length":32}`: true,
		"nonsense": false,
		`{"password":"YQ==","salt":"c29tZXNhbHQ=","memory":4294967295,"passes":1,"lanes":1,"length":32}`: false,
		`{"password":"YQ==","salt":"c29tZXNhbHQ=","memory":64,"passes":0,"lanes":1,"length":32}`:         false,
		`{"password":"YQ==","salt":"c29tZXNhbHQ=","memory":64,"passes":1,"lanes":1,"length":4294967295}`: false,
	} {
		var out bytes.Buffer
		if err := auth.ServeHashes(strings.NewReader(in), &out); (err == nil) != good {
			t.Errorf("%s gave %v", in, err)
		}
		if asked := strings.HasSuffix(in, "}") && good; asked != (out.Len() > 0) {
			t.Errorf("%s was answered %q", in, out.String())
		}
	}
}
