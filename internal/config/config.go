package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/keyring"
	"github.com/postrider/postrider/internal/observe"
)

// Config is everything that can be set for a server. The `env` tag names the variable after
// "POSTRIDER_", and the flag too, in lower case with "-" for "_"; `yaml` names the file's key.
type Config struct {
	// Listen is the address of the HTTP server, host:port; port 0 takes any free port.
	Listen string `yaml:"listen" env:"LISTEN"`
	// Data is the folder that the store lives in; it is made, mode 0700, if it does not exist.
	Data string `yaml:"data" env:"DATA"`
	// Dev permits http:// endpoints and private addresses, and lets DevTimeScale count.
	Dev bool `yaml:"dev" env:"DEV"`
	// DevTimeScale divides every duration of retry and dispatch schedules: 1000 makes an hour 3.6 s.
	DevTimeScale float64 `yaml:"dev_time_scale" env:"DEV_TIME_SCALE"`

	// OperatorKey is the operator's bearer key. When it is not set, the first start makes one. There
	// is no flag for it, since a command line can be read by every user of the machine.
	OperatorKey postrider.Secret `yaml:"operator_key" env:"OPERATOR_KEY"`
	// EncryptionKeys seal the secrets in the store: "id:base64,id:base64", the newest first. When they
	// are not set, the key file holds them. There is no flag for them either.
	EncryptionKeys postrider.Secret `yaml:"encryption_keys" env:"ENCRYPTION_KEYS"`
	// EncryptionKeyFile is the file that the first start makes for a key; "": beside Data, see KeyFile.
	EncryptionKeyFile string `yaml:"encryption_key_file" env:"ENCRYPTION_KEY_FILE"`
	// BootstrapFile names a Bootstrap document; "" for none.
	BootstrapFile string `yaml:"bootstrap_file" env:"BOOTSTRAP_FILE"`

	// Contracts is a folder of contract documents, *.yaml, beside the built-in ones; "" for none.
	Contracts string `yaml:"contracts" env:"CONTRACTS"`

	// PublishLimit bounds the body of one published event, in bytes.
	PublishLimit Size `yaml:"publish_limit" env:"PUBLISH_LIMIT"`
	// PublishRate and ManageRate bound the requests of one key a minute: those that publish, and
	// all others; 0: no bound.
	PublishRate int `yaml:"publish_rate" env:"PUBLISH_RATE"`
	ManageRate  int `yaml:"manage_rate" env:"MANAGE_RATE"`
	// AllowPrivate lists networks that events may be delivered to though they are not public.
	AllowPrivate []netip.Prefix `yaml:"allow_private" env:"ALLOW_PRIVATE"`
	// ProxyURL is the proxy that deliveries go through; "" for none. The usual proxy variables
	// are ignored, so that a proxy never gets in between by accident.
	ProxyURL string `yaml:"proxy_url" env:"PROXY_URL"`
	// ExtraCAFile holds PEM certificates that are trusted beside the system's when delivering.
	ExtraCAFile string `yaml:"extra_ca_file" env:"EXTRA_CA_FILE"`

	LogLevel  observe.LogLevel  `yaml:"log_level" env:"LOG_LEVEL"`
	LogFormat observe.LogFormat `yaml:"log_format" env:"LOG_FORMAT"`

	// TokenLife is how long the ID tokens of a login are good, in whole seconds.
	TokenLife time.Duration `yaml:"token_life" env:"TOKEN_LIFE"`

	// WMSCode is what the header X-Wms-Code of the eWarehousing API must say; "": nothing is asked for.
	WMSCode string `yaml:"wms_code" env:"WMS_CODE"`

	// ShutdownGrace is how long requests under way may take to end when the server stops.
	ShutdownGrace time.Duration `yaml:"shutdown_grace" env:"SHUTDOWN_GRACE"`
	// Pprof is a loopback address that serves net/http/pprof; "" for none.
	Pprof string `yaml:"pprof" env:"PPROF"`
}

// Default is the configuration of a server that was told nothing.
func Default() Config {
	return Config{
		Listen:        "127.0.0.1:8080",
		Data:          "postrider-data",
		DevTimeScale:  1,
		PublishLimit:  1 << 20,
		PublishRate:   3_000_000,
		ManageRate:    60_000,
		LogFormat:     observe.LogText,
		TokenLife:     480 * time.Second, // 001.4
		ShutdownGrace: 30 * time.Second,
	}
}

// Prefix begins the name of every environment variable.
const Prefix = "POSTRIDER_"

// Sources says where a Config comes from, beside the defaults.
type Sources struct {
	Environ []string          // "KEY=value", as os.Environ gives it
	Flags   map[string]string // the flags that were given, by name without dashes
}

// configVariable names the YAML file; it is no part of Config, since the file cannot name itself.
const configVariable = Prefix + "CONFIG"

// Load reads all sources. The error is of CodeInvalid and lists every fault with where it stands: file
// and line, variable or flag.
func Load(sources Sources) (Config, error) {
	config := Default()
	faults := &faults{subject: "the configuration"}
	variables, said := merge(sources)

	origins := make(map[string]string) // by the env tag: where the value in force was said
	if path := variables[configVariable]; path != "" {
		readFile(path, &config, origins, faults)
	}
	readVariables(variables, said, &config, origins, faults)
	config.check(origins, faults)
	return config, faults.err()
}

// TimeScale is what schedules are divided by: DevTimeScale under Dev, else 1.
func (c Config) TimeScale() float64 {
	if c.Dev {
		return c.DevTimeScale
	}
	return 1
}

// KeyFile is where the encryption keys are kept when none are configured: beside the data folder and
// not in it, so that a copy of the folder does not hold the keys to its secrets.
func (c Config) KeyFile() string {
	if c.EncryptionKeyFile != "" {
		return c.EncryptionKeyFile
	}
	if folder, err := filepath.Abs(c.Data); err == nil {
		return folder + ".key"
	}
	return filepath.Clean(c.Data) + ".key"
}

// Warnings tells of settings that have no effect, in words for the log.
func (c Config) Warnings() []string {
	if !c.Dev && c.DevTimeScale != 1 {
		return []string{"the dev time scale has no effect without --dev"}
	}
	return nil
}

// Bounds of what may be set.
const (
	minPublishLimit  = 1 << 10
	maxPublishLimit  = 64 << 20
	maxKeyRate       = 1_000_000_000
	maxShutdownGrace = time.Hour
	maxTokenLife     = 24 * time.Hour
	maxTimeScale     = 1e6
	minKeyLength     = 16 // characters, of a key that a person chose
)

func (c *Config) check(origins map[string]string, f *faults) {
	where := func(variable string) string {
		if origin, found := origins[variable]; found {
			return origin
		}
		return flagName(variable)
	}
	if _, port, err := net.SplitHostPort(c.Listen); err != nil || port == "" {
		f.add(where("LISTEN"), "%q is not an address; use host:port, such as 127.0.0.1:8080", c.Listen)
	}
	if c.Data == "" {
		f.add(where("DATA"), "name a folder for the store")
	}
	if !(c.DevTimeScale > 0 && c.DevTimeScale <= maxTimeScale) {
		f.add(where("DEV_TIME_SCALE"), "%v is not a factor; use a number above 0 and up to %.0f", c.DevTimeScale, maxTimeScale)
	}
	if !c.OperatorKey.IsZero() {
		if fault := keyFault(c.OperatorKey, c.Dev); fault != "" {
			f.add(where("OPERATOR_KEY"), "%s", fault)
		}
	}
	if !c.EncryptionKeys.IsZero() {
		if _, err := keyring.ParseKeys(c.EncryptionKeys); err != nil {
			f.add(where("ENCRYPTION_KEYS"), "%v", err)
		}
	}
	if c.PublishLimit < minPublishLimit || c.PublishLimit > maxPublishLimit {
		f.add(where("PUBLISH_LIMIT"), "%s is out of bounds; use 1KiB to 64MiB", c.PublishLimit)
	}
	if c.PublishRate < 0 || c.PublishRate > maxKeyRate {
		f.add(where("PUBLISH_RATE"), "%d is out of bounds; use 1 to %d requests a minute, or 0 for no bound", c.PublishRate, maxKeyRate)
	}
	if c.ManageRate < 0 || c.ManageRate > maxKeyRate {
		f.add(where("MANAGE_RATE"), "%d is out of bounds; use 1 to %d requests a minute, or 0 for no bound", c.ManageRate, maxKeyRate)
	}
	if c.ShutdownGrace < 0 || c.ShutdownGrace > maxShutdownGrace {
		f.add(where("SHUTDOWN_GRACE"), "%s is out of bounds; use 0s to 1h", c.ShutdownGrace)
	}
	if c.TokenLife < time.Second || c.TokenLife > maxTokenLife || c.TokenLife%time.Second != 0 {
		f.add(where("TOKEN_LIFE"), "%s is out of bounds; use whole seconds, 1s to 24h", c.TokenLife)
	}
	if strings.ContainsFunc(c.WMSCode, func(r rune) bool { return r <= ' ' || r > '~' }) {
		f.add(where("WMS_CODE"), "a code goes into an HTTP header; use printable ASCII without spaces")
	}
	if u, err := url.Parse(c.ProxyURL); c.ProxyURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		f.add(where("PROXY_URL"), "not a proxy's URL; use http://host:port or https://host:port")
	}
	if c.ExtraCAFile != "" {
		if _, err := os.Stat(c.ExtraCAFile); err != nil {
			f.add(where("EXTRA_CA_FILE"), "cannot be read: %v", err)
		}
	}
	if c.Pprof != "" && !isLoopback(c.Pprof) {
		f.add(where("PPROF"), "%q is not a loopback address; profiles tell secrets, so use 127.0.0.1:PORT", c.Pprof)
	}
}

func isLoopback(address string) bool {
	a, err := netip.ParseAddrPort(address)
	return err == nil && a.Addr().IsLoopback()
}

// keyFault says what keeps secret from being a bearer key that a person chose, "" when nothing does. It
// goes into an HTTP header, and must not be guessed at once; under --dev that does not matter.
func keyFault(secret postrider.Secret, dev bool) string {
	text := secret.Reveal()
	switch {
	case text == "":
		return "give the key's text"
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "a key goes into an HTTP header; use printable ASCII without spaces"
	case len(text) < minKeyLength && !dev:
		return fmt.Sprintf("a key of %d characters can be guessed; use at least %d", len(text), minKeyLength)
	}
	return ""
}
