package config_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/config"
)

func TestEachSourceGoesOverTheOneBefore(t *testing.T) {
	file := write(t, `
listen: 127.0.0.1:1111   # over the default
data: from-file
log_format: json
publish_limit: 64KiB
allow_private: [10.0.0.0/8, "fd00::/8"]
shutdown_grace: 5s
`)
	got, err := config.Load(config.Sources{
		Environ: []string{
			"POSTRIDER_CONFIG=" + file, "POSTRIDER_DATA=from-environment", "POSTRIDER_LOG_LEVEL=debug",
			"POSTRIDER_SHUTDOWN_GRACE=6s", "POSTRIDER_PROXY_URL=", "HOME=/nowhere", "POSTRIDER_DEV=true",
		},
		Flags: map[string]string{"shutdown-grace": "7s", "dev-time-scale": "1000"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Listen != "127.0.0.1:1111" || got.Data != "from-environment" || got.ShutdownGrace != 7*time.Second {
		t.Errorf("got listen %s, data %s, grace %s", got.Listen, got.Data, got.ShutdownGrace)
	}
	if got.PublishLimit != 64<<10 || got.LogFormat != "json" || got.LogLevel.Level() != -4 || got.TimeScale() != 1000 {
		t.Errorf("got limit %s, format %s, level %s, scale %v", got.PublishLimit, got.LogFormat, got.LogLevel.Level(), got.TimeScale())
	}
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	if diff := cmp.Diff(want, got.AllowPrivate, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("allowed networks (-want +got):\n%s", diff)
	}
}

func TestWithoutAnythingTheDefaultsHold(t *testing.T) {
	got, err := config.Load(config.Sources{})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, config.Default()) {
		t.Errorf("got %+v", got)
	}
}

func TestAllFaultsAreToldAtOnceWithTheirPlace(t *testing.T) {
	file := write(t, `listen: nowhere
colour: red
dev: perhaps
data: a
data: b
allow_private:
  - 10.0.0.0/8
  - ten
log_level:
  deep: true
`)
	_, err := config.Load(config.Sources{
		Environ: []string{"POSTRIDER_SHUTDOWN_GRACE=soon", "POSTRIDER_OPERATOR_KEY=short"},
		Flags:   map[string]string{"config": file, "log-format": "xml", "publish-limit": "1GiB", "pprof": "0.0.0.0:6060"},
	})
	if postrider.ErrorCode(err) != postrider.CodeInvalid {
		t.Fatalf("got %v, want a fault", err)
	}
	text := err.Error()
	for _, want := range []string{
		file + `:1: listen: "nowhere" is not an address`,
		file + ":2: colour: unknown key; there are listen, data,",
		file + ":3: dev: use true or false",
		file + ":5: data: stands here for the second time",
		file + ":8: allow_private[1]: not a network",
		file + ":10: log_level: must be a single value",
		"POSTRIDER_SHUTDOWN_GRACE: not a duration",
		"POSTRIDER_OPERATOR_KEY: a key of 5 characters can be guessed",
		`--log-format: log format "xml"`,
		"--publish-limit: 1GiB is out of bounds",
		"--pprof: \"0.0.0.0:6060\" is not a loopback address",
		"has 11 faults",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no fault %q in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "short") {
		t.Error("the operator's key is told in an error")
	}
}

func TestOneFaultIsOneLine(t *testing.T) {
	for _, c := range []struct {
		name    string
		sources config.Sources
		want    string
	}{
		{"listen", flags("listen", "8080"), `--listen: "8080" is not an address; use host:port, such as 127.0.0.1:8080`},
		{"bool", flags("dev", "perhaps"), "--dev: use true or false"},
		{"scale is a number", flags("dev-time-scale", "fast"), "--dev-time-scale: not a number"},
		{"scale is positive", flags("dev-time-scale", "-1"), "--dev-time-scale: -1 is not a factor; use a number above 0 and up to 1000000"},
		{"scale is finite", flags("dev-time-scale", "NaN"), "--dev-time-scale: NaN is not a factor; use a number above 0 and up to 1000000"},
		{"proxy", flags("proxy-url", "ftp://x"), "--proxy-url: not a proxy's URL; use http://host:port or https://host:port"},
		{"size", flags("publish-limit", "much"), `--publish-limit: "much" is not a size; use a number of bytes, or one with KiB or MiB`},
		{"grace", flags("shutdown-grace", "2h"), "--shutdown-grace: 2h0m0s is out of bounds; use 0s to 1h"},
		{"network", flags("allow-private", "10.0.0.0/8,10.1"), "--allow-private: not a network; use an address with its length, such as 10.0.0.0/8"},
		{"missing CA file", flags("extra-ca-file", "/nonexistent/ca.pem"), "--extra-ca-file: cannot be read: stat /nonexistent/ca.pem: no such file or directory"},
		{"missing file", flags("config", "/nonexistent/c.yaml"), "/nonexistent/c.yaml: cannot be read: no such file or directory"},
		{
			"key with a space",
			config.Sources{Environ: []string{"POSTRIDER_OPERATOR_KEY=a key with blanks in it"}},
			"POSTRIDER_OPERATOR_KEY: a key goes into an HTTP header; use printable ASCII without spaces",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := config.Load(c.sources)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestAFileThatIsNotAMappingIsRefused(t *testing.T) {
	for name, source := range map[string]string{
		"list":      "- listen\n",
		"text":      "hello\n",
		"documents": "listen: 127.0.0.1:1\n---\nlisten: 127.0.0.1:2\n",
		"tabs":      "listen:\n\t- x: [\n",
		"open":      "allow_private: [10.0.0.0/8\n",
	} {
		if _, err := config.Load(flags("config", write(t, source))); postrider.ErrorCode(err) != postrider.CodeInvalid {
			t.Errorf("%s: got %v, want a fault", name, err)
		}
	}
	for name, source := range map[string]string{"empty": "", "comment": "# nothing yet\n", "one key": "dev: true\n", "nothing said": "listen:\n"} {
		if _, err := config.Load(flags("config", write(t, source))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryFlagHasItsVariable(t *testing.T) {
	for _, name := range config.FlagNames() {
		if name == "operator-key" {
			t.Error("the operator's key must not be a flag")
		}
		value := map[string]string{
			"listen": "0.0.0.0:99", "data": "elsewhere", "dev": "true", "dev-time-scale": "2", "bootstrap-file": "b.yaml", "encryption-key-file": "k.key",
			"publish-limit": "2KiB", "allow-private": "10.0.0.0/8", "proxy-url": "http://p:1", "extra-ca-file": os.DevNull, "log-level": "warn",
			"log-format": "json", "shutdown-grace": "1s", "pprof": "127.0.0.1:1", "contracts": "c", "token-life": "1h", "wms-code": "WMS1",
			"publish-rate": "60", "manage-rate": "0",
		}[name]
		if value == "" {
			t.Errorf("flag %s is unknown to this test", name)
		}
		byFlag, err := config.Load(flags(name, value))
		if err != nil {
			t.Error(err)
		}
		byVariable, err := config.Load(config.Sources{Environ: []string{config.VariableName(name) + "=" + value}})
		if err != nil {
			t.Error(err)
		}
		if !reflect.DeepEqual(byFlag, byVariable) || reflect.DeepEqual(byFlag, config.Default()) {
			t.Errorf("--%s and %s do not set the same", name, config.VariableName(name))
		}
	}
}

func TestTimeScaleCountsOnlyUnderDev(t *testing.T) {
	got, err := config.Load(flags("dev-time-scale", "1000"))
	if err != nil || got.TimeScale() != 1 || len(got.Warnings()) != 1 {
		t.Errorf("got scale %v, warnings %v, error %v", got.TimeScale(), got.Warnings(), err)
	}
}

func TestSizesReadBack(t *testing.T) {
	for text, want := range map[string]config.Size{"0": 0, "7": 7, "512B": 512, "1KiB": 1024, "64 KiB": 65536, "1MiB": 1 << 20, "2GiB": 2 << 30, "1kB": 1000, "1MB": 1000000} {
		var got config.Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s is %d (%v), want %d", text, got, err, want)
		}
		var again config.Size
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != want {
			t.Errorf("%s was written %s and read back as %d", text, got, again)
		}
	}
	for _, text := range []string{"", "-1", "1.5MiB", "KiB", "9999999999GiB", "0x10"} {
		if err := new(config.Size).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken for a size", text)
		}
	}
}

func TestBootstrapIsReadWithWhatMayBeLeftOut(t *testing.T) {
	path := write(t, `
tenants:
  - name: acme
keys:
  - {tenant: acme, role: publisher, name: shop, key: a-key-of-enough-length}
endpoints:
  - url: https://example.com/hook
    events: ["order.*", user.created]
    environment: sandbox
    secret: |-
      two
      lines
  - {tenant: acme, url: "https://example.com/x", events: ["*"], contract: xemelgo}
`)
	got, err := config.ReadBootstrap(path, false)
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Bootstrap{
		Tenants: []config.BootstrapTenant{{Name: "acme"}},
		Keys:    []config.BootstrapKey{{Tenant: "acme", Environment: "production", Role: "publisher", Name: "shop", Key: postrider.NewSecret("a-key-of-enough-length")}},
		Endpoints: []config.BootstrapEndpoint{
			{Tenant: "default", Environment: "sandbox", URL: "https://example.com/hook", Events: []postrider.Topic{"order.*", "user.created"}, Contract: "generic", Secret: postrider.NewSecret("two\nlines")},
			{Tenant: "acme", Environment: "production", URL: "https://example.com/x", Events: []postrider.Topic{"*"}, Contract: "xemelgo"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestBootstrapTellsAllFaultsWithTheirLines(t *testing.T) {
	path := write(t, `tenants:
  - name:
users:
  - {email: a@b.c, password: x}
keys:
  - role: emperor
    key: secret-that-is-short
  - role: admin
    key: tiny-one
endpoints:
  - url: https://example.com
    events: []
    environment: test
    colour: red
  - events: ["bad topic"]
`)
	_, err := config.ReadBootstrap(path, false)
	if postrider.ErrorCode(err) != postrider.CodeInvalid {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{
		":2: tenants[0].name: give the tenant a name",
		":4: users[0].password: needs at least 8 characters",
		":6: keys[0].role: use admin, publisher or viewer",
		":9: keys[1].key: a key of 8 characters can be guessed; use at least 16",
		":12: endpoints[0].events: name at least one topic",
		`:13: endpoints[0].environment: environment "test"`,
		":14: endpoints[0].colour: unknown key; there are tenant, environment, url,",
		":15: endpoints[1].url: name the URL",
		`:15: endpoints[1].events[0]: topic "bad topic"`,
	} {
		if !strings.Contains(err.Error(), path+want) {
			t.Errorf("no fault %q in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "tiny-one") {
		t.Error("a key is told in an error")
	}
	if _, err := config.ReadBootstrap(write(t, "keys: [{role: admin, key: tiny-one}]"), true); err != nil {
		t.Errorf("under --dev a short key must do: %v", err)
	}
}

func TestABootstrapNamesUsersWithGoodPasswords(t *testing.T) {
	read, err := config.ReadBootstrap(write(t, `users:
  - {email: base 64 encoded email, password: base 64 encoded password}
  - {email: root, password: correct horse 7, role: operator}
  - {email: ada, password: correct horse 7, role: viewer, tenant: acme}
`), false)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, user := range read.Users {
		got = append(got, user.Tenant+" "+user.Email+" "+string(user.Role))
	}
	if diff := cmp.Diff([]string{"default base 64 encoded email admin", " root operator", "acme ada viewer"}, got); diff != "" {
		t.Error(diff)
	}
	_, err = config.ReadBootstrap(write(t, `users:
  - {email: a, password: seven77, role: operator, tenant: acme}
  - {password: no digit is here, role: king}
`), false)
	for _, want := range []string{
		":2: users[0].tenant: an operator belongs to no tenant", ":2: users[0].password: needs at least 8 characters",
		":3: users[1].email: name what", ":3: users[1].password: needs at least one digit", `:3: users[1].role: role "king"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no fault %q in:\n%v", want, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "seven77") {
		t.Error("a password is told in an error")
	}
}

func FuzzBootstrapNeverPanics(f *testing.F) {
	f.Add("tenants: [{name: a}]\nendpoints:\n- url: x\n  events: ['*']\n")
	f.Add("keys: &a [*a]\n<<: *a\n? [x]: y\n")
	f.Add("endpoints: {url: !!binary aGk=}\n")
	path := filepath.Join(f.TempDir(), "b.yaml")
	f.Fuzz(func(t *testing.T, source string) {
		if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := config.ReadBootstrap(path, false); (b == nil) == (err == nil) {
			t.Errorf("got %v and %v", b, err)
		}
	})
}

func flags(pairs ...string) config.Sources {
	set := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		set[pairs[i]] = pairs[i+1]
	}
	return config.Sources{Flags: set}
}

func write(t *testing.T, source string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "postrider.yaml")
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheKeyFileStandsBesideTheDataFolder(t *testing.T) {
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for data, want := range map[string]string{
		"/var/lib/postrider": "/var/lib/postrider.key", "/var/lib/postrider//": "/var/lib/postrider.key",
		"data": filepath.Join(here, "data.key"), ".": here + ".key",
	} {
		if got := (config.Config{Data: data}).KeyFile(); got != want {
			t.Errorf("of %s: %s, want %s", data, got, want)
		}
	}
	if got := (config.Config{Data: "data", EncryptionKeyFile: "/run/keys"}).KeyFile(); got != "/run/keys" {
		t.Errorf("a named key file is %s", got)
	}
}

func TestEncryptionKeysAreCheckedAndNotShown(t *testing.T) {
	good := "a:" + strings.Repeat("A", 43) + "="
	if _, err := config.Load(config.Sources{Environ: []string{"POSTRIDER_ENCRYPTION_KEYS=" + good}}); err != nil {
		t.Error(err)
	}
	_, err := config.Load(config.Sources{Environ: []string{"POSTRIDER_ENCRYPTION_KEYS=" + good + ",b:aHVudGVyMg=="}})
	if err == nil || !strings.Contains(err.Error(), "POSTRIDER_ENCRYPTION_KEYS: ") || !strings.Contains(err.Error(), `"b" has 7 bytes`) ||
		strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "aHVudGVyMg") || strings.Contains(err.Error(), "AAAA") {
		t.Errorf("%v", err)
	}
}
