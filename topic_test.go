package postrider_test

import (
	"strings"
	"testing"

	"github.com/postrider/postrider"
	"pgregory.net/rapid"
)

func TestTopicsAndPatternsThatCanBeUsed(t *testing.T) {
	longest := strings.Repeat("a", postrider.MaxTopicLength)
	for _, test := range []struct {
		topic   postrider.Topic
		publish bool // can be published
		pattern bool // can be subscribed to
		says    string
	}{
		{topic: "order", publish: true, pattern: true},
		{topic: "order.created", publish: true, pattern: true},
		{topic: "inventory.cycle_count", publish: true, pattern: true},
		{topic: "Order-2.A_b.9", publish: true, pattern: true},
		{topic: postrider.Topic(longest), publish: true, pattern: true},
		{topic: "*", pattern: true, says: "use letters"},
		{topic: "order.*", pattern: true, says: "use letters"},
		{topic: "*.created", pattern: true, says: "use letters"},
		{topic: "*.*.*", pattern: true, says: "use letters"},
		{topic: "", says: "cannot be empty"},
		{topic: postrider.Topic(longest + "a"), says: "at most 128 bytes; this one has 129"},
		{topic: ".", says: "empty segment"},
		{topic: ".order", says: "empty segment"},
		{topic: "order.", says: "empty segment"},
		{topic: "order..created", says: "empty segment"},
		{topic: "order created", says: "use letters"},
		{topic: "order/created", says: "use letters"},
		{topic: "order.créé", says: "use letters"},
		{topic: "order\x00", says: "use letters"},
		{topic: "order.\n", says: "use letters"},
		{topic: "\xff", says: "use letters"},
		{topic: "order.cre*", says: ""},
		{topic: "**", says: ""},
		{topic: "order.**", says: ""},
	} {
		for _, check := range []struct {
			name string
			err  error
			want bool
		}{
			{"Validate", test.topic.Validate(), test.publish},
			{"ValidatePattern", test.topic.ValidatePattern(), test.pattern},
		} {
			if check.want {
				if check.err != nil {
					t.Errorf("%s(%q) = %v, want nil", check.name, test.topic, check.err)
				}
				continue
			}
			if postrider.ErrorCode(check.err) != postrider.CodeInvalid {
				t.Errorf("%s(%q) = %v, want an error of code invalid", check.name, test.topic, check.err)
			} else if !strings.Contains(check.err.Error(), test.says) {
				t.Errorf("%s(%q) says %q, want %q in it", check.name, test.topic, check.err, test.says)
			}
		}
	}
}

func TestAWildcardInsideASegmentIsExplained(t *testing.T) {
	err := postrider.Topic("order.cre*").ValidatePattern()
	if err == nil || !strings.Contains(err.Error(), `"*" stands for a whole segment, as in "order.*"`) {
		t.Errorf("says %v", err)
	}
}

func TestPatternsTakeInTopicsSegmentBySegment(t *testing.T) {
	for _, test := range []struct {
		pattern, topic postrider.Topic
		want           bool
	}{
		{"order.created", "order.created", true},
		{"order.created", "order.create", false},
		{"order.created", "order.created.eu", false},
		{"order.created", "Order.created", false}, // topics tell upper from lower case
		{"order", "order.created", false},
		{"*", "order", true},
		{"*", "order.created", true},
		{"*", "order.created.eu", true},
		{"order.*", "order.created", true},
		{"order.*", "order", false},
		{"order.*", "order.created.eu", false}, // one segment, not the rest
		{"order.*", "orders.created", false},
		{"*.created", "order.created", true},
		{"*.created", "order.deleted", false},
		{"*.created", "created", false},
		{"*.*", "order.created", true},
		{"*.*", "order", false},
		{"*.*", "a.b.c", false},
		{"a.*.c", "a.b.c", true},
		{"a.*.c", "a.b.d", false},
		{"a.*.c", "a.c", false},
		{"a.*.*", "a.b.c", true},
		{"*.b.*", "a.b.c", true},
		{"*.b.*", "b.b", false},
	} {
		if got := test.pattern.Matches(test.topic); got != test.want {
			t.Errorf("%q takes in %q: %v, want %v", test.pattern, test.topic, got, test.want)
		}
		endpoint := postrider.Endpoint{Topics: []postrider.Topic{"never.this", test.pattern}}
		if got := endpoint.Subscribes(test.topic); got != test.want {
			t.Errorf("an endpoint of %q subscribes to %q: %v, want %v", test.pattern, test.topic, got, test.want)
		}
	}
	if (&postrider.Endpoint{}).Subscribes("order") {
		t.Error("an endpoint without topics subscribes to one")
	}
}

func TestAnyTopicIsTakenInByItselfWithSegmentsReplacedByWildcards(t *testing.T) {
	segment := rapid.StringMatching(`[A-Za-z0-9_-]{1,8}`)
	rapid.Check(t, func(t *rapid.T) {
		segments := rapid.SliceOfN(segment, 1, 6).Draw(t, "segments")
		topic := postrider.Topic(strings.Join(segments, "."))
		wild := append([]string(nil), segments...)
		for i := range wild {
			if rapid.Bool().Draw(t, "wild") {
				wild[i] = "*"
			}
		}
		pattern := postrider.Topic(strings.Join(wild, "."))
		if err := topic.Validate(); err != nil {
			t.Fatal(err)
		}
		if err := pattern.ValidatePattern(); err != nil {
			t.Fatal(err)
		}
		if !pattern.Matches(topic) {
			t.Fatalf("%q does not take in %q", pattern, topic)
		}
		if longer := topic + ".more"; pattern != "*" && pattern.Matches(longer) {
			t.Fatalf("%q takes in %q", pattern, longer)
		}
	})
}

// matchesBySplitting is the rule as its one sentence says it, with none of the speed.
func matchesBySplitting(pattern, topic postrider.Topic) bool {
	if pattern == "*" {
		return true
	}
	p, n := strings.Split(string(pattern), "."), strings.Split(string(topic), ".")
	if len(p) != len(n) {
		return false
	}
	for i := range p {
		if p[i] != "*" && p[i] != n[i] {
			return false
		}
	}
	return true
}

func FuzzTopicMatches(f *testing.F) {
	for _, seed := range [][2]string{
		{"*", "order"}, {"order.*", "order.created"}, {"*.*", "a.b"}, {"a.*.c", "a.b.c"}, {"", ""}, {"..", ".."}, {"*.", "a."},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		pattern, topic := postrider.Topic(a), postrider.Topic(b)
		matches := pattern.Matches(topic) // must not panic or hang, whatever the texts
		if pattern.Validate() == nil && pattern.ValidatePattern() != nil {
			t.Errorf("%q can be published and not subscribed to", pattern)
		}
		if pattern.ValidatePattern() != nil || topic.Validate() != nil {
			return
		}
		if want := matchesBySplitting(pattern, topic); matches != want {
			t.Errorf("%q takes in %q: %v, want %v", pattern, topic, matches, want)
		}
		if !pattern.IsPattern() && matches != (pattern == topic) {
			t.Errorf("%q without a wildcard takes in %q: %v", pattern, topic, matches)
		}
	})
}

func BenchmarkTopicMatches(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if !postrider.Topic("warehouse.*.inventory.*").Matches("warehouse.north.inventory.counted") {
			b.Fatal("does not match")
		}
	}
}

func TestMatchingATopicAllocatesNothing(t *testing.T) {
	allocations := testing.AllocsPerRun(100, func() {
		postrider.Topic("warehouse.*.inventory.*").Matches("warehouse.north.inventory.counted")
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}
