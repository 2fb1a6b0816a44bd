package observe

import (
	"io"
	"log/slog"
	"strings"

	"github.com/postrider/postrider"
)

// LogFormat says how log lines are written.
type LogFormat string

// The formats.
const (
	LogText LogFormat = "text" // key=value, for people
	LogJSON LogFormat = "json" // one object a line, for machines
)

// UnmarshalText takes "text" or "json". The error is of CodeInvalid.
func (f *LogFormat) UnmarshalText(text []byte) error {
	switch format := LogFormat(text); format {
	case LogText, LogJSON:
		*f = format
		return nil
	}
	return postrider.Errorf(postrider.CodeInvalid, "log format %q: use \"text\" or \"json\"", text)
}

// MarshalText gives the format's word.
func (f LogFormat) MarshalText() ([]byte, error) { return []byte(f), nil }

// LogLevel is the least severe level that is written.
type LogLevel struct{ level slog.Level }

// UnmarshalText takes "debug", "info", "warn" or "error". The error is of CodeInvalid.
func (l *LogLevel) UnmarshalText(text []byte) error {
	switch string(text) {
	case "debug", "info", "warn", "error":
		return l.level.UnmarshalText(text)
	}
	return postrider.Errorf(postrider.CodeInvalid, "log level %q: use \"debug\", \"info\", \"warn\" or \"error\"", text)
}

// MarshalText gives the level's word.
func (l LogLevel) MarshalText() ([]byte, error) {
	return []byte(strings.ToLower(l.level.String())), nil
}

// Level makes a LogLevel a slog.Leveler.
func (l LogLevel) Level() slog.Level { return l.level }

// NewLogger makes a logger that writes to w. Times are UTC.
func NewLogger(w io.Writer, format LogFormat, level LogLevel) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: utc}
	if format == LogJSON {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

func utc(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}
