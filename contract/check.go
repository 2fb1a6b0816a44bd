package contract

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/signature"
)

// check applies the rules that look at more than one key.
func (r *reader) check(d *Document) {
	r.checkHeaders(d)
	r.checkSignatures(d)
	r.checkSecret(d)
	r.checkStatus(&d.Status)
	var total time.Duration
	for _, delay := range d.Retry.Delays {
		total += delay
	}
	if total > maxSchedule {
		r.add("retry", "the schedule is %s long; events are kept for %s", short(total), short(maxSchedule))
	}
}

// reservedHeaders are set by the HTTP client, or would break its framing or leak a credential into
// a document that is no secret.
func reservedHeaders() []string {
	return []string{
		"Host", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade",
		"Trailer", "TE", "Expect", "User-Agent", "Authorization", "Proxy-Authorization", "Cookie",
	}
}

// checkHeaders looks at the headers as a whole; each one was checked when it was read.
func (r *reader) checkHeaders(d *Document) {
	contentType := r.faultUnder("headers")
	for _, h := range d.Headers {
		contentType = contentType || strings.EqualFold(h.Name, "Content-Type") && h.Source == ""
	}
	if _, found := r.lines["headers"]; found && !contentType {
		r.add("headers", "Content-Type is missing; receivers need it")
	}
	for i, s := range d.Signatures {
		if s.Header != "" {
			r.headerName(s.Header, fmt.Sprintf("signatures[%d].header", i))
		}
	}
}

func (r *reader) headerName(name, path string) {
	lower := strings.ToLower(name)
	reserved := slices.ContainsFunc(reservedHeaders(), func(other string) bool { return strings.EqualFold(name, other) })
	switch {
	case !signature.IsHeaderName(name):
		r.add(path, "%q is not a header name", clip(name))
	case reserved:
		r.add(path, "%s is not a contract's to set", name)
	case r.headers[lower]:
		r.add(path, "the header is set twice")
	}
	r.headers[lower] = true
}

func isHeaderValue(value string) bool {
	if value == "" || strings.TrimSpace(value) != value {
		return false
	}
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return false
		}
	}
	return true
}

func (r *reader) checkSignatures(d *Document) {
	for i, s := range d.Signatures {
		path := fmt.Sprintf("signatures[%d]", i)
		var e *postrider.Error
		if errors.As(s.Validate(), &e) {
			for field, message := range e.Fields {
				if r.mentioned(join(path, field)) {
					continue // it is missing or of a wrong type, which was said
				}
				r.add(join(path, field), "%s", message)
			}
		}
		r.checkCarrier(d, join(path, "timestamp_header"), s.TimestampHeader, SourceTimestamp)
		r.checkCarrier(d, join(path, "id_header"), s.IDHeader, SourceID, SourceUUID)
	}
}

// checkCarrier sees to it that a header which a signature covers is sent, with what is signed.
func (r *reader) checkCarrier(d *Document, path, name string, sources ...Source) {
	if name == "" {
		return
	}
	for _, h := range d.Headers {
		if !strings.EqualFold(h.Name, name) {
			continue
		}
		for _, source := range sources {
			if h.Source == source {
				return
			}
		}
	}
	r.add(path, "headers must hold %s with %s", clip(name), strings.Join(words(sources), " or "))
}

// faultUnder reports whether a fault stands at path or below it.
func (r *reader) faultUnder(path string) bool {
	return slices.ContainsFunc(r.faults.List, func(f Fault) bool { return strings.HasPrefix(f.Path, path) })
}

// mentioned reports whether a fault stands at path already.
func (r *reader) mentioned(path string) bool {
	return slices.ContainsFunc(r.faults.List, func(f Fault) bool { return f.Path == path })
}

func (r *reader) checkSecret(d *Document) {
	at, signed := r.lines["signatures"]
	_, written := r.lines["secret"]
	s := &d.Secret
	switch {
	case len(d.Signatures) == 0 && signed && r.faultUnder("signatures"): // nothing can be said yet
	case len(d.Signatures) == 0 && written:
		r.add("secret", "there is no signature, so no secret is used")
	case len(d.Signatures) == 0:
		d.Secret = SecretRule{}
	case !written:
		r.faults.add(at, "secret", "is missing: a signature needs a secret; write supplied_by: tenant, or generated: {bytes: 32}")
	case s.SuppliedByTenant == (s.Generated.Bytes > 0) && !r.mentioned("secret.supplied_by") && !r.mentioned("secret.generated.bytes"):
		r.add("secret", "needs either supplied_by: tenant, or generated")
	case s.MinLength > s.MaxLength:
		r.add("secret.min_length", "is over max_length")
	case s.MinKeyBytes > s.MaxKeyBytes:
		r.add("secret.key_bytes", "min is over max")
	case s.Generated.Bytes > 0 && len(r.faults.List) == 0:
		if err := newContract(*d, nil).tryGenerated(); err != nil {
			r.add("secret.generated", "what it makes breaks the contract's own rules: %s", err.Error())
		}
	}
}

// checkStatus refuses a status that two lists name alike; a class and a status in it may differ.
func (r *reader) checkStatus(s *StatusRules) {
	owner := make(map[StatusRange]string)
	for _, list := range []struct {
		name   string
		ranges []StatusRange
	}{{"success", s.Success}, {"gone", s.Gone}, {"permanent", s.Permanent}, {"retryable", s.Retryable}} {
		for _, one := range list.ranges {
			if other, taken := owner[one]; taken {
				r.add(list.name, "%d stands in %s already", one.First, other)
			}
			owner[one] = list.name
		}
	}
	if _, written := r.lines["success"]; written && len(s.Success) == 0 && !r.mentioned("success") {
		r.add("success", "no status would be success")
	}
}
