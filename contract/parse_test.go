package contract_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
)

// Each testdata/faulty/NAME.yaml is a document with faults, and NAME.want is what Parse says of it.
func TestFaultsAreToldAllAtOnceWithLineAndPath(t *testing.T) {
	files, err := filepath.Glob("testdata/faulty/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d faulty documents, want 20 or more (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = contract.Parse(source)
			var faults *contract.Faults
			if !errors.As(err, &faults) || len(faults.List) == 0 {
				t.Fatalf("error %v, want *Faults", err)
			}
			if postrider.ErrorCode(err) != postrider.CodeInvalid {
				t.Errorf("code %q, want invalid", postrider.ErrorCode(err))
			}
			wantFile := strings.TrimSuffix(file, ".yaml") + ".want"
			if *update {
				if err := os.WriteFile(wantFile, []byte(err.Error()+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(wantFile)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), faults.Error()+"\n"); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDocumentsAreBounded(t *testing.T) {
	tests := map[string]string{
		"size":             minimal + strings.Repeat("# comment\n", 2000),
		"brackets":         strings.Repeat("[", 10000),
		"braces":           strings.Repeat("{a: ", 4000),
		"dashes":           strings.Repeat("- ", 8000),
		"questions":        strings.Repeat("? ", 8000),
		"tags":             strings.Repeat("!a ", 5000),
		"anchors":          strings.Repeat("&a ", 5000),
		"repeated keys":    strings.Repeat("name: a\n", 2000),
		"header elements":  strings.Replace(minimal, "[{Content-Type: application/json}]", "["+strings.Repeat("{A: b},", 1000)+"]", 1),
		"mappings of maps": strings.Repeat("a:\n ", 4000),
	}
	for name, source := range tests {
		start := time.Now()
		_, err := contract.Parse([]byte(source))
		if err == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %s", name, took)
		}
		if lines := strings.Count(err.Error(), "\n"); lines > 50 || len(err.Error()) > 32<<10 {
			t.Errorf("%s: the error has %d lines and %d bytes", name, lines, len(err.Error()))
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range contract.Builtin() {
		f.Add(c.Source())
	}
	faulty, _ := filepath.Glob("testdata/faulty/*.yaml")
	for _, file := range faulty {
		source, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		c, err := contract.Parse(source)
		if err != nil {
			var faults *contract.Faults
			if c != nil || !errors.As(err, &faults) || len(faults.List) == 0 || len(faults.List) > 50 {
				t.Fatalf("contract %v with error %v", c, err)
			}
			return
		}
		// What is taken works: it renders, judges and ends its schedule.
		secret, err := c.GenerateSecret(strings.NewReader(strings.Repeat("0123456789abcdef", 16)))
		if err != nil {
			secret = postrider.NewSecret(whsec)
		}
		r, err := c.NewRenderer(&postrider.Endpoint{Secrets: []postrider.Secret{secret}})
		if err != nil {
			return // a tenant's secret of another form
		}
		var request contract.Request
		if err := r.Render(&request, anEvent(), occurred); err != nil || len(request.Body) == 0 || len(request.Header) == 0 {
			t.Fatalf("rendering: %v", err)
		}
		if got := len(play(c, postrider.Production, occurred, 0.5)); got != c.MaxAttempts() || got > 65 {
			t.Fatalf("%d attempts, MaxAttempts says %d", got, c.MaxAttempts())
		}
	})
}

func BenchmarkParse(b *testing.B) {
	source := builtin(b, "generic").Source()
	for b.Loop() {
		if _, err := contract.Parse(source); err != nil {
			b.Fatal(err)
		}
	}
}
