package contract_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
)

func TestEveryStatusIsJudged(t *testing.T) {
	for _, c := range contract.Builtin() {
		for status := 1; status < 1000; status++ {
			want, code := postrider.OutcomeRetryable, postrider.OutcomeHTTPStatus
			switch {
			case status >= 200 && status <= 299:
				want, code = postrider.OutcomeSuccess, postrider.OutcomeDelivered
			case status == 410 && c.Name() == "standard":
				want = postrider.OutcomeGone
			}
			o := c.Judge(contract.Answer{Status: status}, occurred)
			if o.Kind != want || o.Code != code || !strings.Contains(o.Detail, fmt.Sprint(status)) {
				t.Errorf("%s: %d is %s %s %q, want %s %s", c.Name(), status, o.Kind, o.Code, o.Detail, want, code)
			}
		}
	}
}

func TestEveryFailureIsJudged(t *testing.T) {
	codes := []postrider.OutcomeCode{
		postrider.OutcomeDNS, postrider.OutcomeRefused, postrider.OutcomeUnreachable, postrider.OutcomeTLS, postrider.OutcomeTimeout,
		postrider.OutcomeReset, postrider.OutcomeTooLarge, postrider.OutcomeBlockedAddress, postrider.OutcomeProtocol,
		postrider.OutcomeContract, postrider.OutcomeInterrupted,
	}
	seen := map[string]bool{}
	for _, c := range contract.Builtin() {
		for _, code := range codes {
			want := postrider.OutcomeRetryable
			if code == postrider.OutcomeContract {
				want = postrider.OutcomePermanent
			}
			o := c.Judge(contract.Answer{Status: 200, Failure: code, RetryAfter: "60"}, occurred) // a failure beats a status
			if o.Kind != want || o.Code != code || o.Detail == "" || o.RetryAfter != 0 {
				t.Errorf("%s: %s is %+v, want %s", c.Name(), code, o, want)
			}
			if c.Name() == "generic" {
				seen[o.Detail] = true
			}
			if got := c.Judge(contract.Answer{Failure: code, Detail: "as the network told it"}, occurred).Detail; got != "as the network told it" {
				t.Errorf("%s: detail %q, want the one given", code, got)
			}
		}
		if o := c.Judge(contract.Answer{}, occurred); o.Kind != postrider.OutcomeRetryable || o.Code != postrider.OutcomeProtocol {
			t.Errorf("%s: an answer without status and failure is %+v", c.Name(), o)
		}
	}
	if len(seen) != len(codes) {
		t.Errorf("%d different details for %d failures", len(seen), len(codes))
	}
}

func TestASingleStatusBeatsItsClass(t *testing.T) {
	c := parse(t, strings.Replace(minimal, "retry:", "success: [200, 202]\npermanent: [4xx]\nretryable: [408, 429]\ngone: [404, 410]\nretry:", 1))
	for status, want := range map[int]postrider.OutcomeKind{
		200: postrider.OutcomeSuccess, 201: postrider.OutcomeRetryable, 202: postrider.OutcomeSuccess, 301: postrider.OutcomeRetryable,
		400: postrider.OutcomePermanent, 404: postrider.OutcomeGone, 408: postrider.OutcomeRetryable, 410: postrider.OutcomeGone,
		429: postrider.OutcomeRetryable, 499: postrider.OutcomePermanent, 500: postrider.OutcomeRetryable,
	} {
		if got := c.Judge(contract.Answer{Status: status}, occurred).Kind; got != want {
			t.Errorf("%d is %s, want %s", status, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2025, 12, 12, 20, 44, 57, 0, time.UTC)
	tests := []struct {
		header string
		want   time.Duration
	}{
		{"", 0},
		{"0", 0},
		{"120", 2 * time.Minute},
		{" 120 ", 2 * time.Minute},
		{"86400", 24 * time.Hour},
		{"86401", 24 * time.Hour},
		{"18446744073709551615", 24 * time.Hour},
		{"99999999999999999999999", 24 * time.Hour},
		{strings.Repeat("9", 100), 0},
		{"-5", 0},
		{"1.5", 0},
		{"120s", 0},
		{"soon", 0},
		{"Fri, 12 Dec 2025 20:46:57 GMT", 2 * time.Minute},
		{"Friday, 12-Dec-25 20:46:57 GMT", 2 * time.Minute},
		{"Fri Dec 12 20:46:57 2025", 2 * time.Minute},
		{"Fri, 12 Dec 2025 20:40:57 GMT", 0},
		{"Fri, 12 Dec 9999 20:40:57 GMT", 24 * time.Hour},
		{"Fri, 32 Dec 2025 20:40:57 GMT", 0},
	}
	for _, test := range tests {
		if got := builtin(t, "standard").Judge(contract.Answer{Status: 503, RetryAfter: test.header}, now).RetryAfter; got != test.want {
			t.Errorf("%q asks for %s, want %s", test.header, got, test.want)
		}
	}
	if got := builtin(t, "ewarehousing").Judge(contract.Answer{Status: 503, RetryAfter: "7200"}, now).RetryAfter; got != 0 {
		t.Errorf("ewarehousing honours a Retry-After of %s", got)
	}
	for _, final := range []int{200, 410} {
		if got := builtin(t, "standard").Judge(contract.Answer{Status: final, RetryAfter: "60"}, now).RetryAfter; got != 0 {
			t.Errorf("a final %d asks for %s", final, got)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Fri, 12 Dec 2025 20:46:57 GMT")
	c := builtin(f, "generic")
	f.Fuzz(func(t *testing.T, header string) {
		got := c.Judge(contract.Answer{Status: 503, RetryAfter: header}, occurred).RetryAfter
		if got < 0 || got > 4*time.Hour {
			t.Errorf("%q asks for %s", header, got)
		}
	})
}
