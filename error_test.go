package postrider_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/postrider/postrider"
)

func TestErrorCodeIsTheFirstInTheChain(t *testing.T) {
	notFound := postrider.Errorf(postrider.CodeNotFound, "no such event")
	for _, test := range []struct {
		name string
		err  error
		want postrider.Code
	}{
		{"nil", nil, ""},
		{"an Error", notFound, postrider.CodeNotFound},
		{"wrapped", fmt.Errorf("read: %w", notFound), postrider.CodeNotFound},
		{"wrapped by another Error", postrider.Errorf(postrider.CodeUnavailable, "later: %w", notFound), postrider.CodeUnavailable},
		{"joined", errors.Join(io.EOF, notFound), postrider.CodeNotFound},
		{"an error from outside", io.EOF, postrider.CodeInternal},
		{"a cancelled context", context.Canceled, postrider.CodeInternal},
	} {
		if got := postrider.ErrorCode(test.err); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestAnErrorSaysItsMessageAndItsCauseOnce(t *testing.T) {
	for _, test := range []struct {
		name string
		err  *postrider.Error
		want string
	}{
		{"a message", postrider.Errorf(postrider.CodeInvalid, "bad url %q", "x"), `bad url "x"`},
		{"a cause in the message", postrider.Errorf(postrider.CodeInternal, "read: %w", io.EOF), "read: EOF"},
		{"a cause beside the message", &postrider.Error{Code: postrider.CodeInternal, Message: "cannot read", Err: io.EOF}, "cannot read: EOF"},
		{"a cause alone", &postrider.Error{Code: postrider.CodeInternal, Err: io.EOF}, "internal: EOF"},
		{"a code alone", &postrider.Error{Code: postrider.CodeForbidden}, "forbidden"},
		{"a field", postrider.FieldError("url", "use %s", "https"), "url: use https"},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("%s: says %q, want %q", test.name, got, test.want)
		}
	}
}

func TestEveryCauseGivenToErrorfCanBeFound(t *testing.T) {
	one := postrider.Errorf(postrider.CodeUnavailable, "commit: %w", io.ErrUnexpectedEOF)
	if !errors.Is(one, io.ErrUnexpectedEOF) || one.Message != "commit: unexpected EOF" {
		t.Errorf("one cause: %#v", one)
	}
	two := postrider.Errorf(postrider.CodeUnavailable, "commit: %w, then %w", io.EOF, context.Canceled)
	if !errors.Is(two, io.EOF) || !errors.Is(two, context.Canceled) {
		t.Errorf("two causes: %#v", two)
	}
	if two.Error() != "commit: EOF, then context canceled" {
		t.Errorf("two causes say %q", two)
	}
	none := postrider.Errorf(postrider.CodeInvalid, "100%% wrong")
	if none.Unwrap() != nil || none.Error() != "100% wrong" {
		t.Errorf("no cause: %#v", none)
	}
}

func TestFaultsTellAllAtOnceInTheOrderFound(t *testing.T) {
	var faults postrider.Faults
	if err := faults.Err(); err != nil {
		t.Fatalf("no faults give %v", err)
	}
	faults.AddError("topic", nil)
	if err := faults.Err(); err != nil {
		t.Fatalf("a nil error gives %v", err)
	}
	faults.Add("url", "use %s", "https")
	faults.AddError("topic", postrider.Topic("").Validate())
	faults.Add("url", "a second fault of the same input")
	faults.AddError("secret", errors.New("100% short"))

	err := faults.Err()
	if postrider.ErrorCode(err) != postrider.CodeInvalid {
		t.Errorf("code %q", postrider.ErrorCode(err))
	}
	if want := "url: use https; topic: a topic cannot be empty; secret: 100% short"; err.Error() != want {
		t.Errorf("says %q, want %q", err, want)
	}
	fault, ok := errors.AsType[*postrider.Error](err)
	if !ok {
		t.Fatalf("%T is no Error", err)
	}
	want := map[string]string{"url": "use https", "topic": "a topic cannot be empty", "secret": "100% short"}
	if difference := cmp.Diff(want, fault.Fields); difference != "" {
		t.Error(difference)
	}
}
