package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/client"
	"github.com/postrider/postrider/internal/config"
)

// each calls visit with every command that help shows, but those that cobra makes by itself.
func each(c *cobra.Command, visit func(*cobra.Command)) {
	if c.Hidden || c.Name() == "completion" || c.Name() == "help" {
		return
	}
	visit(c)
	for _, member := range c.Commands() {
		each(member, visit)
	}
}

func testRoot() *cobra.Command {
	return newRoot(&Terminal{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
}

func TestEveryCommandHasAnExampleAndAShortText(t *testing.T) {
	count := 0
	each(testRoot(), func(c *cobra.Command) {
		count++
		if !strings.Contains(c.Example, "postrider ") {
			t.Errorf("%s has no example", c.CommandPath())
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s has the short text %q", c.CommandPath(), c.Short)
		}
	})
	if count < 30 {
		t.Errorf("only %d commands were found", count)
	}
}

func TestEveryExampleIsACommandWithFlagsThatExist(t *testing.T) {
	root := testRoot()
	flag := regexp.MustCompile(`(?:^|\s)--([a-z-]+)`)
	each(root, func(c *cobra.Command) {
		for line := range strings.Lines(strings.ReplaceAll(c.Example, "\\\n", " ")) {
			_, line, found := strings.Cut(line, "postrider ")
			if !found {
				continue
			}
			line, _, _ = strings.Cut(line, "  ") // what it does
			target, _, err := root.Find(strings.Fields(line))
			if err != nil {
				t.Errorf("%s: %q is no command: %v", c.CommandPath(), line, err)
				continue
			}
			for _, match := range flag.FindAllStringSubmatch(line, -1) {
				if target.Flags().Lookup(match[1]) == nil && target.InheritedFlags().Lookup(match[1]) == nil {
					t.Errorf("%s: %q has the flag --%s, which %s does not know", c.CommandPath(), line, match[1], target.CommandPath())
				}
			}
		}
	})
}

func TestServeHasAFlagForEverySettingAndNoOther(t *testing.T) {
	c := newServe(&Terminal{})
	known := map[string]bool{"config": true}
	for _, name := range config.FlagNames() {
		known[name] = true
		if c.Flags().Lookup(name) == nil {
			t.Errorf("serve has no flag --%s", name)
		}
	}
	for _, match := range regexp.MustCompile(`(?m)^ +--([a-z-]+)`).FindAllStringSubmatch(c.Flags().FlagUsages(), -1) {
		if !known[match[1]] {
			t.Errorf("flag --%s sets nothing", match[1])
		}
		if strings.Contains(match[1], "key") && !strings.HasSuffix(match[1], "-file") {
			t.Errorf("--%s would show a secret to every user of the machine", match[1])
		}
	}
}

func TestTimesAreToldInWords(t *testing.T) {
	now := time.Date(2026, 2, 18, 10, 30, 0, 0, time.UTC)
	for text, at := range map[string]time.Time{
		"2026-02-18 10:30:00Z (0 ms ago)":      now,
		"2026-02-18 10:29:59Z (1 second ago)":  now.Add(-time.Second),
		"2026-02-18 10:27:00Z (3 minutes ago)": now.Add(-3*time.Minute - 20*time.Second).Add(20 * time.Second),
		"2026-02-18 12:30:00Z (in 2 hours)":    now.Add(2 * time.Hour),
		"2026-02-08 10:30:00Z (10 days ago)":   now.AddDate(0, 0, -10),
		"":                                     {},
	} {
		if got := moment(at, now); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
}

func TestForeignTextCannotDrawOnTheTerminal(t *testing.T) {
	if got := oneLine("a\x1b[2Jb\nc\td\u009be\u00e9"); got != "a [2Jb c d eé" {
		t.Errorf("got %q", got)
	}
}

func TestAnErrorIsOneSentenceWithWhatToDo(t *testing.T) {
	cause := errors.New("EAGAIN")
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("plain"), "plain."},
		{&postrider.Error{Code: postrider.CodeUnavailable, Message: "the folder is in use; choose another", Err: cause}, "the folder is in use; choose another."},
		{fmt.Errorf("file.yaml: keys[0]: %w", &postrider.Error{Code: postrider.CodeConflict, Message: "taken", Err: cause}), "file.yaml: keys[0]: taken."},
		{errors.Join(&postrider.Error{Code: postrider.CodeUnavailable, Message: "in use", Err: cause}, nil), "in use."},
		{errors.Join(errors.New("one"), errors.New("two")), "one; two."},
		{&postrider.Error{Code: postrider.CodeInternal, Message: "the database failed", Err: cause}, "the database failed: EAGAIN."},
		{&client.Error{Status: 401, Code: "unauthenticated", Message: "the key is not known"}, "the key is not known. Give a good key with --key or POSTRIDER_KEY."},
		{&client.Error{Status: 500, Code: "internal", Message: "it failed", RequestID: "req_1"}, "it failed. Look for request req_1 in the server's log."},
		{&client.Error{Status: 400, Code: "invalid", Message: "two faults", Fields: map[string]string{"b": "bad", "a": "worse"}}, "two faults (a: worse; b: bad)."},
		{fmt.Errorf("line 3: %w", &client.Error{Status: 400, Code: "invalid", Message: "url: wrong", Fields: map[string]string{"url": "wrong"}}), "line 3: url: wrong."},
	} {
		what, todo := explain(c.err)
		if got := sentence(what, todo); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestProgressDrawsABarOnATerminalAndNothingElsewhere(t *testing.T) {
	var out bytes.Buffer
	begin := time.Now()
	p := &progress{w: &out, total: 1000, start: begin}
	p.read(500)
	p.draw(40, begin.Add(2*time.Second))
	p.draw(41, begin.Add(2*time.Second+time.Millisecond)) // too soon
	want := eraseLine + "[" + strings.Repeat("#", 15) + strings.Repeat(" ", 15) + "]  50%  40 events  20/s"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
	p.clear()
	if !strings.HasSuffix(out.String(), eraseLine) {
		t.Error("the line is not taken away")
	}

	out.Reset()
	none := newProgress(&Terminal{In: strings.NewReader(""), Err: &out})
	none.read(10)
	none.draw(1, time.Now())
	none.clear()
	if out.Len() > 0 {
		t.Errorf("it drew %q where there is no terminal", out.String())
	}
}

func TestALineThatIsTooLongIsNamedAndEndsTheSending(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.ndjson")
	if err := os.WriteFile(path, []byte("\n\""+strings.Repeat("x", maxLine+10)+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var out, problems bytes.Buffer
	code := Run(context.Background(), &Terminal{In: file, Out: &out, Err: &problems}, []string{"send", "--key", "k", "--url", "http://127.0.0.1:1"})
	if code != exitFailed || !strings.Contains(problems.String(), "line 2: it is over 2 MiB") {
		t.Errorf("ended with %d and %s", code, problems.String())
	}
}

func TestACommandThatIsStoppedSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, problems bytes.Buffer
	code := Run(ctx, &Terminal{In: strings.NewReader(`{"type":"a.b","data":1}`), Out: &out, Err: &problems},
		[]string{"send", "--key", "k", "--url", "http://127.0.0.1:1"})
	if code != exitFailed || problems.String() != "postrider: stopped before it was done.\n" {
		t.Errorf("ended with %d and %q", code, problems.String())
	}
}
