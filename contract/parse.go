package contract

import (
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/postrider/postrider/signature"
)

// Bounds of a document's values.
const (
	maxName       = 64
	maxSummary    = 200
	maxFields     = 32
	maxHeaders    = 32
	maxSignatures = 4
	maxValue      = 512 // bytes of a header's literal value
	maxRetries    = 64
	maxTimeout    = 5 * time.Minute
	minTimeout    = 100 * time.Millisecond
	maxResponse   = 1 << 20
	maxInFlight   = 1000
	maxSchedule   = 30 * 24 * time.Hour // events are kept for 30 days by default; a retry must not outlive its event
	maxRetryAfter = 24 * time.Hour
	day           = 24 * time.Hour
)

// Parse reads a contract document. The error is a *Faults that tells everything that is wrong, with
// lines and paths; it wraps a postrider.Error of CodeInvalid.
func Parse(source []byte) (*Contract, error) {
	r := &reader{lines: make(map[string]int), headers: make(map[string]bool)}
	root := r.parseYAML(source)
	if root == nil {
		return nil, r.faults.err()
	}
	r.lines[""] = 1
	d := &Document{
		Secret: SecretRule{MinLength: 1, MaxLength: 1024},
		Body:   Body{Form: FormVerbatim},
		Limits: Limits{Response: 64 << 10},
		Status: StatusRules{Success: []StatusRange{{200, 299}}},
		Retry:  Retry{RetryAfterLimit: maxRetryAfter},
		HTTPS:  HTTPS{Production: true},
	}
	r.document(root, d)
	r.check(d)
	if err := r.faults.err(); err != nil {
		return nil, err
	}
	return newContract(*d, source), nil
}

func (r *reader) document(root ast.Node, d *Document) {
	r.mapping(root, "",
		entry{"name", true, func(n ast.Node, p string) { d.Name = r.name(n, p) }},
		entry{"summary", false, func(n ast.Node, p string) { d.Summary = r.text(n, p, maxSummary) }},
		entry{"secret", false, func(n ast.Node, p string) { r.secret(n, p, &d.Secret) }},
		entry{"body", true, func(n ast.Node, p string) { r.body(n, p, &d.Body) }},
		entry{"headers", true, func(n ast.Node, p string) {
			r.list(n, p, maxHeaders, func(n ast.Node, p string) { r.header(n, p, d) })
		}},
		entry{"signatures", false, func(n ast.Node, p string) {
			r.list(n, p, maxSignatures, func(n ast.Node, p string) { d.Signatures = append(d.Signatures, r.scheme(n, p)) })
		}},
		entry{"limits", true, func(n ast.Node, p string) { r.limits(n, p, &d.Limits) }},
		entry{"success", false, func(n ast.Node, p string) { d.Status.Success = r.statuses(n, p, 200, 299) }},
		entry{"gone", false, func(n ast.Node, p string) { d.Status.Gone = r.statuses(n, p, 400, 499) }},
		entry{"permanent", false, func(n ast.Node, p string) { d.Status.Permanent = r.statuses(n, p, 300, 599) }},
		entry{"retryable", false, func(n ast.Node, p string) { d.Status.Retryable = r.statuses(n, p, 300, 599) }},
		entry{"retry", true, func(n ast.Node, p string) { r.retry(n, p, &d.Retry) }},
		entry{"dispatch", false, func(n ast.Node, p string) { r.dispatch(n, p, &d.Dispatch) }},
		entry{"endpoint", false, func(n ast.Node, p string) { r.endpoint(n, p, &d.HTTPS) }},
	)
}

func (r *reader) name(node ast.Node, path string) string {
	name := r.text(node, path, maxName)
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			r.faults.add(line(node), path, "%q: use a-z, 0-9, \"-\" and \"_\"", clip(name))
			return ""
		}
	}
	if name == "" && !r.mentioned(path) {
		r.faults.add(line(node), path, "must have 1 to %d characters", maxName)
	}
	return name
}

func (r *reader) secret(node ast.Node, path string, s *SecretRule) {
	r.mapping(node, path,
		entry{"min_length", false, func(n ast.Node, p string) { s.MinLength = r.integer(n, p, 1, 1024) }},
		entry{"max_length", false, func(n ast.Node, p string) { s.MaxLength = r.integer(n, p, 1, 1024) }},
		entry{"supplied_by", false, func(n ast.Node, p string) { s.SuppliedByTenant = r.oneOf(n, p, "tenant") == 0 }},
		entry{"key_bytes", false, func(n ast.Node, p string) {
			r.mapping(n, p,
				entry{"min", true, func(n ast.Node, p string) { s.MinKeyBytes = r.integer(n, p, 1, 1024) }},
				entry{"max", true, func(n ast.Node, p string) { s.MaxKeyBytes = r.integer(n, p, 1, 1024) }})
		}},
		entry{"generated", false, func(n ast.Node, p string) {
			s.Generated.Encoding = signature.Base64
			r.mapping(n, p,
				entry{"bytes", true, func(n ast.Node, p string) { s.Generated.Bytes = r.integer(n, p, 16, 128) }},
				entry{"prefix", false, func(n ast.Node, p string) { s.Generated.Prefix = r.text(n, p, 16) }},
				entry{"encoding", false, func(n ast.Node, p string) {
					if r.oneOf(n, p, "base64", "hex") == 1 {
						s.Generated.Encoding = signature.Hex
					}
				}})
		}},
	)
}

func (r *reader) body(node ast.Node, path string, b *Body) {
	r.mapping(node, path,
		entry{"form", true, func(n ast.Node, p string) {
			if r.oneOf(n, p, string(FormVerbatim), string(FormECMAScript)) == 1 {
				b.Form = FormECMAScript
			}
		}},
		entry{"fields", false, func(n ast.Node, p string) {
			r.list(n, p, maxFields, func(n ast.Node, p string) {
				r.single(n, p, func(name string, n ast.Node, p string) {
					value := r.oneOf(n, p, words(bodySources())...)
					if value >= 0 {
						b.Fields = append(b.Fields, Field{name, bodySources()[value]})
					}
					r.fieldName(b, name, p)
				})
			})
			if list, is := n.(*ast.SequenceNode); is && len(list.Values) == 0 {
				r.add(p, "an envelope needs a field; leave fields out to send the data alone")
			}
		}},
	)
}

// fieldName keeps names to those that a JavaScript engine leaves in their place: one that is an
// array index would move to the front (FACTS 1.2, point 2).
func (r *reader) fieldName(b *Body, name, path string) {
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '-' || c == '.')) {
			r.add(path, "a field's name begins with a letter and goes on in letters, digits, \"_\", \"-\" and \".\"")
			return
		}
	}
	if name == "" || len(name) > maxName {
		r.add(path, "a field's name has 1 to %d characters", maxName)
	}
	for i := range len(b.Fields) - 1 {
		if b.Fields[i].Name == name {
			r.add(path, "the field stands in the body twice")
		}
	}
}

func (r *reader) header(node ast.Node, path string, d *Document) {
	r.single(node, path, func(name string, n ast.Node, p string) {
		r.headerName(name, p)
		value := r.text(n, p, maxValue)
		h := Header{Name: name, Literal: value}
		switch {
		case r.mentioned(p):
		case strings.HasPrefix(value, "event.") || strings.HasPrefix(value, "attempt."):
			if at := r.oneOf(n, p, words(headerSources())...); at >= 0 {
				h.Source, h.Literal = headerSources()[at], ""
			}
		case !isHeaderValue(value):
			r.add(p, "a value is visible ASCII without spaces at its ends, and not empty")
		}
		d.Headers = append(d.Headers, h)
	})
}

func (r *reader) scheme(node ast.Node, path string) signature.Scheme {
	var s signature.Scheme
	word := func(n ast.Node, p string) string { return r.text(n, p, signature.MaxFormat) }
	r.mapping(node, path,
		entry{"header", true, func(n ast.Node, p string) { s.Header = word(n, p) }},
		entry{"algorithm", true, func(n ast.Node, p string) { s.Algorithm = signature.Algorithm(word(n, p)) }},
		entry{"key", true, func(n ast.Node, p string) { s.Key = signature.KeyForm(word(n, p)) }},
		entry{"over", true, func(n ast.Node, p string) {
			for part := range strings.SplitSeq(word(n, p), ".") {
				s.Over = append(s.Over, signature.Part(part))
			}
		}},
		entry{"encoding", true, func(n ast.Node, p string) { s.Encoding = signature.Encoding(word(n, p)) }},
		entry{"format", true, func(n ast.Node, p string) { s.Format = word(n, p) }},
		entry{"separator", false, func(n ast.Node, p string) { s.Separator = word(n, p) }},
		entry{"timestamp_header", false, func(n ast.Node, p string) { s.TimestampHeader = word(n, p) }},
		entry{"id_header", false, func(n ast.Node, p string) { s.IDHeader = word(n, p) }},
		entry{"tolerance", false, func(n ast.Node, p string) {
			s.Tolerance = r.duration(n, p, 0, signature.MaxTolerance*time.Second)
		}},
	)
	return s
}

func (r *reader) limits(node ast.Node, path string, l *Limits) {
	r.mapping(node, path,
		entry{"timeout", true, func(n ast.Node, p string) { l.Timeout = r.duration(n, p, minTimeout, maxTimeout) }},
		entry{"response", false, func(n ast.Node, p string) { l.Response = r.bytes(n, p, maxResponse) }},
		entry{"in_flight", false, func(n ast.Node, p string) { l.InFlight = r.integer(n, p, 1, maxInFlight) }},
	)
}

// statuses reads 2xx, 410, or a list of such, all between least and most.
func (r *reader) statuses(node ast.Node, path string, least, most int) []StatusRange {
	var ranges []StatusRange
	one := func(n ast.Node, p string) {
		switch n := n.(type) {
		case *ast.StringNode:
			class, found := strings.CutSuffix(n.Value, "xx")
			first, err := strconv.Atoi(class)
			if first *= 100; found && err == nil && first >= least && first+99 <= most {
				ranges = append(ranges, StatusRange{first, first + 99})
				return
			}
			r.faults.add(line(n), p, "%q is neither a class such as %dxx nor a status from %d to %d", clip(n.Value), least/100, least, most)
		default:
			status := r.integer(n, p, least, most)
			ranges = append(ranges, StatusRange{status, status})
		}
	}
	if _, several := node.(*ast.SequenceNode); several {
		r.list(node, path, 32, one)
	} else {
		one(node, path)
	}
	return ranges
}

func (r *reader) retry(node ast.Node, path string, t *Retry) {
	var every time.Duration
	times := -1
	r.mapping(node, path,
		entry{"delays", false, func(n ast.Node, p string) {
			r.list(n, p, maxRetries, func(n ast.Node, p string) {
				t.Delays = append(t.Delays, r.duration(n, p, 0, maxSchedule))
			})
		}},
		entry{"every", false, func(n ast.Node, p string) { every = r.duration(n, p, 0, maxSchedule) }},
		entry{"times", false, func(n ast.Node, p string) { times = r.integer(n, p, 0, maxRetries) }},
		entry{"jitter", false, func(n ast.Node, p string) { t.Jitter = r.fraction(n, p) }},
		entry{"honour_retry_after", false, func(n ast.Node, p string) { t.HonourRetryAfter = r.truth(n, p) }},
		entry{"retry_after_limit", false, func(n ast.Node, p string) {
			t.RetryAfterLimit = r.duration(n, p, time.Second, maxRetryAfter)
		}},
		entry{"on_exhausted", false, func(n ast.Node, p string) { t.DisableExhausted = r.oneOf(n, p, "keep", "disable") == 1 }},
	)
	if !r.isMapping(node) {
		return
	}
	_, delays := r.lines[join(path, "delays")]
	_, hasEvery := r.lines[join(path, "every")]
	_, hasTimes := r.lines[join(path, "times")]
	switch {
	case delays == (hasEvery || hasTimes) || hasEvery != hasTimes:
		r.add(path, "needs either delays, or every and times")
	case hasEvery:
		for range times {
			t.Delays = append(t.Delays, every)
		}
	}
}

func (r *reader) isMapping(node ast.Node) bool {
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

func (r *reader) dispatch(node ast.Node, path string, d *Dispatch) {
	r.mapping(node, path,
		entry{"production", false, func(n ast.Node, p string) { d.Production = r.rhythm(n, p) }},
		entry{"sandbox", false, func(n ast.Node, p string) { d.Sandbox = r.rhythm(n, p) }},
	)
}

// rhythm reads "immediate" or "every 30m". A period divides the day, so that its ticks are the same
// every day.
func (r *reader) rhythm(node ast.Node, path string) time.Duration {
	text := r.text(node, path, 64)
	if text == "immediate" {
		return 0
	}
	period, found := strings.CutPrefix(text, "every ")
	d, err := time.ParseDuration(period)
	if !found || err != nil || d < time.Second || d > day || day%d != 0 {
		r.faults.add(line(node), path, "%q is unknown; use immediate, or every and a duration that divides the day, such as every 30m", clip(text))
		return 0
	}
	return d
}

func (r *reader) endpoint(node ast.Node, path string, h *HTTPS) {
	r.mapping(node, path, entry{"https", true, func(n ast.Node, p string) {
		required := func(to *bool) func(ast.Node, string) {
			return func(n ast.Node, p string) { *to = r.oneOf(n, p, "optional", "required") == 1 }
		}
		r.mapping(n, p, entry{"production", true, required(&h.Production)}, entry{"sandbox", true, required(&h.Sandbox)})
	}})
}

func words[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, word := range list {
		out[i] = string(word)
	}
	return out
}
