package contract_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/postrider/postrider/contract"
)

// The manual's example is a contract, and its sources are all there are.
func TestTheManualIsRight(t *testing.T) {
	manual, err := os.ReadFile("../docs/contracts.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(manual), "```yaml\n")
	example, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatal("the manual has no YAML example")
	}
	c := parse(t, example)
	request := render(t, c, anEvent(), occurred, "acme_a", "acme_b")
	if got := request.Header[len(request.Header)-1]; got.Name != "Acme-Signature" || strings.Count(got.Value, "v1=") != 2 ||
		!strings.HasPrefix(got.Value, "t=1765572297,v1=") {
		t.Errorf("%s: %s", got.Name, got.Value)
	}

	// Parse tells the known keys and sources of every place; the manual must name them all.
	_, err = contract.Parse([]byte("nope: 1\nsecret: {nope: 1, generated: {nope: 1}, key_bytes: {nope: 1}}\nbody: {nope: 1, fields: [{a: nope}]}\n" +
		"headers: [{A: event.nope}]\nsignatures: [{nope: 1}]\nlimits: {nope: 1}\nretry: {nope: 1}\ndispatch: {nope: 1}\nendpoint: {nope: 1}\n"))
	for line := range strings.Lines(err.Error()) {
		_, known, found := strings.Cut(strings.TrimSpace(line), "known here are ")
		if !found {
			if _, known, found = strings.Cut(strings.TrimSpace(line), "is unknown; use "); !found {
				continue
			}
		}
		for _, word := range strings.Split(known, ", ") {
			if !regexp.MustCompile("[`.{ ]" + regexp.QuoteMeta(word) + "[`.},]").Match(manual) {
				t.Errorf("the manual does not name %q", word)
			}
		}
	}
	for _, c := range contract.Builtin() {
		if !strings.Contains(string(manual), "`"+c.Name()+"`") {
			t.Errorf("the manual does not name the contract %q", c.Name())
		}
	}
}
