package receivertest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// For is the receiver of a built-in contract by its name: generic, standard, xemelgo, ewarehousing
// or shiip.
func For(contract, secret string) (Options, error) {
	switch contract {
	case "generic":
		return Generic(secret), nil
	case "standard":
		return Standard(secret), nil
	case "xemelgo":
		return Xemelgo(secret), nil
	case "ewarehousing":
		return Ewarehousing(secret), nil
	case "shiip":
		return Shiip(secret), nil
	}
	return Options{}, fmt.Errorf("there is no receiver of a contract %q", contract)
}

// Xemelgo is the receiver of seed 000: "sha256=" and hex in xemelgo-signature, 401 when it is wrong
// (000.16, 000.19, 000.20). The seed's own code hashes the body after JSON.parse and JSON.stringify;
// this one hashes the bytes that came. test/receivers runs the seed's.
func Xemelgo(secret string) Options {
	return Options{
		Name: "xemelgo",
		Verify: func(header http.Header, body []byte) error {
			given, found := strings.CutPrefix(header.Get("xemelgo-signature"), "sha256=")
			if !found {
				return errors.New("xemelgo-signature does not begin with sha256=")
			}
			if header.Get("Content-Type") != "application/json" {
				return errors.New("Content-Type is not application/json") // 000.15
			}
			digits, err := hex.DecodeString(given)
			if err != nil || !hmac.Equal(digits, sum(secret, body)) {
				return errors.New("xemelgo-signature does not match the body")
			}
			return isObject(body, "id", "eventTimestamp", "topic", "data")
		},
		Accepted: jsonAnswer(http.StatusOK, `{"received":true}`),
		Refused:  jsonAnswer(http.StatusUnauthorized, `{"error":"Unauthorized"}`),
	}
}

// Ewarehousing is the receiver of seed 002: base64 in X-Hmac-SHA256 over the original bytes, 401 when
// it is wrong (002.6, 002.7, 002.10).
func Ewarehousing(secret string) Options {
	return Options{
		Name: "ewarehousing",
		Verify: func(header http.Header, body []byte) error {
			want := base64.StdEncoding.EncodeToString(sum(secret, body))
			return same("X-Hmac-SHA256", header, want)
		},
		Accepted: Status(http.StatusOK),
		Refused:  Status(http.StatusUnauthorized),
	}
}

// Shiip is the receiver of seed 003: bare lower-case hex in X-Signature, 403 when it is wrong
// (003.8, 003.10).
func Shiip(secret string) Options {
	return Options{
		Name: "shiip",
		Verify: func(header http.Header, body []byte) error {
			return same("X-Signature", header, hex.EncodeToString(sum(secret, body)))
		},
		Accepted: Answer{Status: http.StatusOK, Body: "Valid signature"},
		Refused:  Answer{Status: http.StatusForbidden, Body: "Invalid signature"},
	}
}

// Generic is the receiver of seed 004: bare lower-case hex in X-Webhook-Signature, 401 when it is
// wrong; the body is an event (004.4, 004.7, 004.9, 004.10).
func Generic(secret string) Options {
	return Options{
		Name: "generic",
		Verify: func(header http.Header, body []byte) error {
			if !utf8.Valid(body) {
				return errors.New("the body is not UTF-8") // 004.8
			}
			if err := same("X-Webhook-Signature", header, hex.EncodeToString(sum(secret, body))); err != nil {
				return err
			}
			return isObject(body, "id", "type", "created_at", "data", "previous_data")
		},
		Accepted: jsonAnswer(http.StatusOK, `{"status":"received"}`),
		Refused:  jsonAnswer(http.StatusUnauthorized, `{"error":"Invalid signature"}`),
	}
}

// Standard is a receiver of the Standard Webhooks specification, symmetric form: the header
// webhook-signature holds one or more of "v1," and base64 over "id.timestamp.body"; the key is the
// base64 after whsec_; the timestamp is at most five minutes off.
func Standard(secret string) Options {
	key, keyFault := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	return Options{
		Name: "standard",
		Verify: func(header http.Header, body []byte) error {
			if keyFault != nil {
				return errors.New("the receiver's secret is not whsec_ and base64")
			}
			id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
			if id == "" || timestamp == "" {
				return errors.New("webhook-id or webhook-timestamp is missing")
			}
			seconds, err := strconv.ParseInt(timestamp, 10, 64)
			if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
				return errors.New("webhook-timestamp is not of now")
			}
			signed := sum(string(key), []byte(id+"."+timestamp+"."+string(body)))
			for one := range strings.FieldsSeq(header.Get("webhook-signature")) {
				given, found := strings.CutPrefix(one, "v1,")
				bytes, err := base64.StdEncoding.DecodeString(given)
				if found && err == nil && hmac.Equal(bytes, signed) {
					return nil
				}
			}
			return errors.New("webhook-signature does not match the body")
		},
		Accepted: Status(http.StatusNoContent),
		Refused:  Status(http.StatusUnauthorized),
	}
}

func sum(secret string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write(body)
	return h.Sum(nil)
}

// same compares as the seeds' receivers do: text with text, in constant time, and only for JSON.
func same(name string, header http.Header, want string) error {
	given := header.Get(name)
	if given == "" {
		return fmt.Errorf("%s is missing", name)
	}
	if header.Get("Content-Type") != "application/json" {
		return errors.New("Content-Type is not application/json")
	}
	if !hmac.Equal([]byte(given), []byte(want)) {
		return fmt.Errorf("%s does not match the body", name)
	}
	return nil
}

func isObject(body []byte, members ...string) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil {
		return fmt.Errorf("the body is not a JSON object: %w", err)
	}
	for _, name := range members {
		if _, found := object[name]; !found {
			return fmt.Errorf("the body has no %q", name)
		}
	}
	return nil
}

// eventID is what a receiver knows a repeat by: a header where the contract has one, else the id in
// the body.
func eventID(header http.Header, body []byte) string {
	for _, name := range []string{"webhook-id", "X-Webhook-Id"} {
		if id := header.Get(name); id != "" {
			return id
		}
	}
	var event struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(body, &event) != nil {
		return ""
	}
	return event.ID
}

func jsonAnswer(status int, body string) Answer {
	return Answer{Status: status, Header: map[string]string{"Content-Type": "application/json"}, Body: body}
}
