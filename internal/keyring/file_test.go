package keyring

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/postrider/postrider"
)

func ids(keys []Key) []string {
	var all []string
	for _, k := range keys {
		all = append(all, k.ID)
	}
	return all
}

func TestKeysAreReadFromOneText(t *testing.T) {
	plus := strings.Repeat("\xfb\xef\xff", 11)[:KeySize] // its base64 has + and /
	std, url := base64.StdEncoding.EncodeToString([]byte(plus)), base64.RawURLEncoding.EncodeToString([]byte(plus))
	for _, text := range []string{
		"new:" + std + ",old:" + url,
		" new:" + std + " , old:" + url + " ,",
		"# a comment, with commas: and colons\nnew:" + std + "\r\n\n\nold:" + url + "\n  # end",
	} {
		keys, err := ParseKeys(postrider.NewSecret(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff([]string{"new", "old"}, ids(keys)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
		for _, k := range keys {
			if k.secret.Reveal() != plus {
				t.Errorf("%q: the key %s has other bytes", text, k.ID)
			}
		}
	}
}

func TestTextsThatAreNoKeysAreRefusedWithoutShowingThem(t *testing.T) {
	const marker = "c2VjcmV0"
	good := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s", KeySize)))
	for text, word := range map[string]string{
		"":                                   "no encryption key",
		" , \n#x:" + good:                    "no encryption key",
		marker:                               "encryption key 1",
		"a:" + good + "," + marker:           "encryption key 2",
		":" + good:                           "form id:base64",
		"ü:" + good:                          "form id:base64",
		strings.Repeat("a", 33) + ":" + good: "form id:base64",
		"a:" + marker:                        "6 bytes",
		"a:" + good + good:                   "base64",
		"a:" + marker + "!":                  "not base64",
		"a:" + good + ",a:" + good:           `two encryption keys with the id "a"`,
		strings.Repeat("k:"+good+",", 101):   "more than 100",
	} {
		keys, err := ParseKeys(postrider.NewSecret(text))
		if postrider.ErrorCode(err) != postrider.CodeInvalid {
			t.Errorf("%.60q: %d keys, %v", text, len(keys), err)
			continue
		}
		if !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), marker) || strings.Contains(err.Error(), good) {
			t.Errorf("%.60q: %v, want %q and no key", text, err, word)
		}
	}
}

func TestAKeyFileIsItsOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ü.key")
	_, err := ReadFile(path)
	if postrider.ErrorCode(err) != postrider.CodeNotFound || !strings.Contains(err.Error(), path) {
		t.Errorf("a file that is not there: %v", err)
	}
	want := []Key{Generate(start), key(t, "old", 2)}
	for range 2 { // made, and replaced
		if err := WriteFile(path, want); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	got, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%v, want %v", ids(got), ids(want))
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%v beside the key file, %v", left, err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644, 0o660, 0o666, 0o610, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := ReadFile(path)
		if postrider.ErrorCode(err) != postrider.CodeInvalid || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err != nil {
		t.Errorf("one that its owner may only read: %v", err)
	}
}

func TestAKeyFileThatCannotBeUsedIsNamed(t *testing.T) {
	dir := t.TempDir()
	long, bad := filepath.Join(dir, "long"), filepath.Join(dir, "bad")
	for path, text := range map[string]string{long: strings.Repeat("#\n", maxFileSize), bad: "a:hunter2=="} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, word := range map[string]string{dir: "not a file", long: "larger", bad: `"a"`} {
		_, err := ReadFile(path)
		if postrider.ErrorCode(err) != postrider.CodeInvalid || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", path, err, word)
		}
	}
	lost := filepath.Join(dir, "none", "file")
	if err := WriteFile(lost, []Key{Generate(start)}); err == nil || !strings.Contains(err.Error(), lost) {
		t.Errorf("written into a folder that is not there: %v", err)
	}
}

func TestGeneratedKeysAreNewAndNamedByTheirDay(t *testing.T) {
	seen := make(map[Key]bool)
	for range 100 {
		k := Generate(start)
		if seen[k] || !strings.HasPrefix(k.ID, "20260314-") || !validID(k.ID) || len(k.secret.Reveal()) != KeySize {
			t.Fatal(fmt.Sprint("made ", k.ID))
		}
		seen[k] = true
	}
}

// FuzzParseKeys holds that what is read is written back as what reads the same, and that a refusal shows
// no more than an id.
func FuzzParseKeys(f *testing.F) {
	good := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s", KeySize)))
	for _, seed := range []string{"", "a:" + good, "a:" + good + ",b:" + good, "# c\na:" + good + "\r\n", "a:", ":", ",", "a:x", "a:" + good + "=", "a:a:" + good} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ParseKeys(postrider.NewSecret(text))
		if err != nil {
			if postrider.ErrorCode(err) != postrider.CodeInvalid || len(err.Error()) > 300 {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		var written []string
		for _, k := range keys {
			written = append(written, k.text())
		}
		again, err := ParseKeys(postrider.NewSecret(strings.Join(written, ",")))
		if err != nil || len(again) != len(keys) {
			t.Fatalf("%q: %v", text, err)
		}
		for i := range keys {
			if again[i] != keys[i] {
				t.Errorf("%q: key %d reads as another", text, i)
			}
		}
	})
}
