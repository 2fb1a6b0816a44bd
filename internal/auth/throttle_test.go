package auth_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
)

var start = time.Unix(1_800_000_000, 0)

func address(text string) netip.Addr { return netip.MustParseAddr(text) }

func TestANameIsThrottledAndFreeAgainLater(t *testing.T) {
	throttle, now, from := auth.NewThrottle(start), start.Add(time.Hour), address("192.0.2.1")
	for i := range 10 {
		if err := throttle.Check("ada", from, now); err != nil {
			t.Fatalf("after %d failures: %v", i, err)
		}
		_ = throttle.Admit("ada", from, now)
	}
	for _, other := range []netip.Addr{from, address("198.51.100.1"), {}} {
		told, ok := errors.AsType[*postrider.Error](throttle.Check("ada", other, now))
		if !ok || told.Code != postrider.CodeRateLimited || told.RetryAfter < 30*time.Second || told.RetryAfter > 31*time.Second {
			t.Errorf("from %v: %+v", other, told)
		}
	}
	if err := throttle.Check("bob", from, now); err != nil {
		t.Errorf("another name is refused: %v", err)
	}
	if err := throttle.Check("ada", from, now.Add(29*time.Second)); err == nil {
		t.Error("it is free again too early")
	}
	now = now.Add(30 * time.Second)
	if err := throttle.Check("ada", from, now); err != nil {
		t.Errorf("it is not free again: %v", err)
	}
	_ = throttle.Admit("ada", from, now)
	if err := throttle.Check("ada", from, now); err == nil {
		t.Error("one failure more, and it is not throttled")
	}
	if err := throttle.Check("ada", from, now.Add(time.Hour)); err != nil {
		t.Errorf("an hour later: %v", err)
	}
	throttle.Succeeded("ada", netip.Addr{}, now)
	if err := throttle.Check("ada", from, now); err != nil {
		t.Errorf("after a good login: %v", err)
	}
}

func TestAnAddressIsThrottledOverAllNames(t *testing.T) {
	for _, test := range []struct{ from, same, other string }{
		{"192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"}, // one customer has a /64
	} {
		throttle := auth.NewThrottle(start)
		for i := range 100 {
			if err := throttle.Check("nobody", address(test.from), start); err != nil {
				t.Fatalf("%s after %d failures: %v", test.from, i, err)
			}
			_ = throttle.Admit(fmt.Sprintf("name-%d", i), address(test.from), start)
		}
		throttle.Succeeded("name-1", netip.Addr{}, start) // an account of one's own does not help
		if err := throttle.Check("nobody", address(test.same), start); postrider.ErrorCode(err) != postrider.CodeRateLimited {
			t.Errorf("%s after 100 failures of %s: %v", test.same, test.from, err)
		}
		if err := throttle.Check("nobody", address(test.other), start); err != nil {
			t.Errorf("%s: %v", test.other, err)
		}
		if err := throttle.Check("nobody", address(test.same), start.Add(time.Second)); err != nil {
			t.Errorf("%s a second later: %v", test.same, err)
		}
	}
}

// TestManyNamesDoNotHinderOthers lets 20,000 names fail, some 20 a second as hashing allows: hardly
// anybody else is refused, and the names that fail often still are.
func TestManyNamesDoNotHinderOthers(t *testing.T) {
	throttle, now := auth.NewThrottle(start), start
	for range 10 {
		_ = throttle.Admit("guessed", netip.Addr{}, now)
	}
	for i := range 20_000 {
		_ = throttle.Admit(fmt.Sprintf("flood-%d", i), netip.Addr{}, now)
	}
	if err := throttle.Check("guessed", netip.Addr{}, now); err == nil {
		t.Error("a flood of names made the throttle forget one")
	}
	refused := 0
	for i := range 1000 {
		if throttle.Check(fmt.Sprintf("honest-%d", i), netip.Addr{}, now) != nil {
			refused++
		}
	}
	if refused > 0 {
		t.Errorf("%d of 1,000 names that never failed are refused", refused)
	}
}
