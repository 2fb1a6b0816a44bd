package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider"
)

// Size is a number of bytes, written "1048576", "1MiB", "64KiB" or "1MB".
type Size int64

var sizeUnits = []struct {
	suffix string
	factor int64
}{
	// The longer suffixes first: "KiB" ends in "B" too.
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
}

// UnmarshalText reads a size. The error is of CodeInvalid.
func (s *Size) UnmarshalText(text []byte) error {
	number, factor := string(text), int64(1)
	for _, unit := range sizeUnits {
		if rest, found := strings.CutSuffix(number, unit.suffix); found {
			number, factor = strings.TrimSpace(rest), unit.factor
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/factor {
		return postrider.Errorf(postrider.CodeInvalid, "%q is not a size; use a number of bytes, or one with KiB or MiB", text)
	}
	*s = Size(n * factor)
	return nil
}

// String writes the size in the largest unit that leaves it whole.
func (s Size) String() string {
	for _, unit := range []int{2, 1, 0} {
		if u := sizeUnits[unit]; s != 0 && int64(s)%u.factor == 0 {
			return strconv.FormatInt(int64(s)/u.factor, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText is String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// setText sets a leaf from its text, as the environment's parser does.
func setText(leaf reflect.Value, text string) error {
	if u, ok := leaf.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := u.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("%s", plain(leaf.Type(), err))
		}
		return nil
	}
	var err error
	switch p := leaf.Addr().Interface().(type) {
	case *time.Duration:
		*p, err = time.ParseDuration(text)
	default:
		switch leaf.Kind() {
		case reflect.String:
			leaf.SetString(text)
		case reflect.Bool:
			var b bool
			b, err = strconv.ParseBool(text)
			leaf.SetBool(b)
		case reflect.Int:
			var n int64
			n, err = strconv.ParseInt(text, 10, 64)
			leaf.SetInt(n)
		case reflect.Float64:
			var x float64
			x, err = strconv.ParseFloat(text, 64)
			leaf.SetFloat(x)
		default:
			return fmt.Errorf("a %s cannot be set from a text", leaf.Type())
		}
	}
	if err != nil {
		return fmt.Errorf("%s", plain(leaf.Type(), err))
	}
	return nil
}

// plain says in plain words what was expected, where the library's words would speak of Go.
func plain(t reflect.Type, err error) string {
	switch {
	case postrider.ErrorCode(err) == postrider.CodeInvalid:
		return err.Error()
	case t == reflect.TypeFor[time.Duration]():
		return "not a duration; use a number with its unit, such as 30s, 5m or 1h"
	case t.Kind() == reflect.Bool:
		return "use true or false"
	case t.Kind() == reflect.Float64, t.Kind() == reflect.Int:
		return "not a number"
	case strings.Contains(err.Error(), "netip.ParsePrefix"):
		return "not a network; use an address with its length, such as 10.0.0.0/8"
	}
	return err.Error()
}
