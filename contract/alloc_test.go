//go:build !race

// Under the race detector sync.Pool drops what it is given at random, so allocations are counted
// without it.

package contract_test

import (
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
)

// One string holds all values of headers that change; the others are the id's text, and what the
// ECMAScript form needs to sort keys.
func TestRenderingAllocatesLittle(t *testing.T) {
	most := map[string]float64{"generic": 2, "standard": 2, "xemelgo": 4, "ewarehousing": 3, "shiip": 3}
	for _, c := range contract.Builtin() {
		r, err := c.NewRenderer(anEndpoint(whsec))
		if err != nil {
			t.Fatal(err)
		}
		event := anEvent()
		event.Data = []byte(`{"object":"` + strings.Repeat("x", 1000) + `"}`)
		var request contract.Request
		if got := testing.AllocsPerRun(100, func() { _ = r.Render(&request, event, occurred) }); got > most[c.Name()] {
			t.Errorf("%s: %.0f allocations a request, want %.0f at most", c.Name(), got, most[c.Name()])
		}
	}
}

// A rotation costs nothing for each request, before its end or after it.
func TestRenderingDuringARotationAllocatesNoMore(t *testing.T) {
	c := builtin(t, "generic")
	endpoint := anEndpoint(whsec)
	endpoint.Rotation = &postrider.SecretRotation{Next: postrider.NewSecret("another secret"), Until: occurred.Add(time.Hour)}
	r, err := c.NewRenderer(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	event := anEvent()
	var request contract.Request
	for _, now := range []time.Time{occurred, occurred.Add(2 * time.Hour)} {
		if got := testing.AllocsPerRun(100, func() { _ = r.Render(&request, event, now) }); got > 2 {
			t.Errorf("at %v %.0f allocations a request, want 2 at most", now, got)
		}
	}
}

func TestJudgingASuccessAllocatesNothing(t *testing.T) {
	c := builtin(t, "generic")
	if got := testing.AllocsPerRun(100, func() { _ = c.Judge(contract.Answer{Status: 200}, occurred) }); got != 0 {
		t.Errorf("%.0f allocations", got)
	}
}
