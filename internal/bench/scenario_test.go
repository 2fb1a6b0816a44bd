package bench

import (
	"slices"
	"testing"
)

func TestTheSuiteHoldsEveryPromiseAndEachNamesItsSides(t *testing.T) {
	options := defaultOptions()
	bounds := make(map[string]bool)
	for _, s := range options.suite() {
		var labels []string
		for _, c := range s.contenders {
			if slices.Contains(labels, c.label) {
				t.Errorf("%s: two sides are called %q", s.Name, c.label)
			}
			labels = append(labels, c.label)
		}
		for _, p := range s.promises {
			if !slices.Contains(labels, p.subject) || p.base != "" && !slices.Contains(labels, p.base) {
				t.Errorf("%s: the promise about %q and %q names a side that is not measured", s.Name, p.subject, p.base)
			}
			if p.atLeast != 0 || p.atMost != 0 {
				bounds[s.Name+" "+p.figure.name] = true
			}
		}
		if s.Events < 1000 || s.Warmup == 0 || s.Warmup >= s.Events {
			t.Errorf("%s: %d events after a warm-up of %d", s.Name, s.Events, s.Warmup)
		}
	}
	for _, name := range []string{
		"closed loop delivered", "closed loop CPU per event", "500 a second end-to-end p99", "batches of 100 delivered",
		"history delivered", "dead endpoint end-to-end p99", "dead endpoint peak memory",
	} {
		if !bounds[name] {
			t.Errorf("nothing is promised of %q", name)
		}
	}
}

func TestSidesOfOneRunComeFromTheOptions(t *testing.T) {
	options := defaultOptions()
	options.History, options.Dead, options.Rate = 5000, 700, 50
	s := options.scenario("load")
	want := []contender{
		{label: "relay"}, {label: "product", product: true},
		{label: "product, 5000 of history", product: true, history: 5000},
		{label: "product, 700 for a dead endpoint", product: true, dead: 700},
	}
	if !slices.Equal(s.contenders, want) {
		t.Errorf("%+v, want %+v", s.contenders, want)
	}
	if s.Events != 1000 || len(s.promises) != 15 {
		t.Errorf("%d events and %d ratios, want 1000 and 15", s.Events, len(s.promises))
	}
}
