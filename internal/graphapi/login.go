package graphapi

import (
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/jsonscan"
)

// maxLoginBody bounds the body of a login, in bytes: 320 characters of name and 1,000 of password as
// base64 of UTF-8 and a little.
const maxLoginBody = 16 << 10

// What is said about a login that cannot be read.
var (
	errNoJSON   = postrider.Errorf(postrider.CodeInvalid, "The body is not a JSON object.")
	errTooLarge = postrider.Errorf(postrider.CodeInvalid, "The body is larger than 16 KiB.")
)

// login gives tokens for a name and a password, both base64 (001.1 to 001.7).
func (h *Handler) login(w http.ResponseWriter, r *http.Request) {
	fields, ok := h.readLogin(w, r, "email", "password")
	if !ok {
		return
	}
	name, nameErr := decodeBase64("email", fields["email"])
	password, passwordErr := decodeBase64("password", fields["password"])
	if err := errors.Join(nameErr, passwordErr); err != nil {
		refuseLogin(w, http.StatusBadRequest, "InvalidParameterException", strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	session, err := h.parts.Logins.Login(r.Context(), name, password, caller(r))
	h.answerLogin(w, r, session, err, "Incorrect username or password.")
}

// refresh gives new tokens for a refresh token, which it uses up (A001-8).
func (h *Handler) refresh(w http.ResponseWriter, r *http.Request) {
	fields, ok := h.readLogin(w, r, "RefreshToken")
	if !ok {
		return
	}
	session, err := h.parts.Logins.RefreshLogin(r.Context(), fields["RefreshToken"])
	h.answerLogin(w, r, session, err, "Invalid Refresh Token")
}

// answerLogin writes the tokens in Cognito's shape, flat (001.4), or why there are none.
func (h *Handler) answerLogin(w http.ResponseWriter, r *http.Request, session *auth.Session, err error, wrong string) {
	if err != nil {
		h.refuseSession(w, r, err, wrong)
		return
	}
	body := jsonscan.AppendQuoted([]byte(`{"AccessToken":`), session.AccessToken)
	body = append(body, `,"ExpiresIn":`...)
	body = strconv.AppendInt(body, int64(session.ExpiresAt.Sub(session.IssuedAt)/time.Second), 10)
	body = jsonscan.AppendQuoted(append(body, `,"TokenType":"Bearer","RefreshToken":`...), session.RefreshToken)
	body = jsonscan.AppendQuoted(append(body, `,"IdToken":`...), session.IDToken)
	write(w, http.StatusOK, append(body, '}'))
}

// refuseSession answers why there are no tokens. A wrong name, a wrong password and a user who may not
// log in are one answer (A001-3). Too many tries are 429: Cognito has 400 there, but what waits
// and tries again looks at the status.
func (h *Handler) refuseSession(w http.ResponseWriter, r *http.Request, err error, wrong string) {
	told, known := errors.AsType[*postrider.Error](err)
	code := postrider.ErrorCode(err)
	if known && told.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((told.RetryAfter+time.Second-1)/time.Second), 10))
	}
	switch code {
	case postrider.CodeUnauthenticated, postrider.CodeForbidden, postrider.CodeNotFound:
		refuseLogin(w, http.StatusBadRequest, "NotAuthorizedException", wrong)
	case postrider.CodeInvalid, postrider.CodeTooLarge:
		refuseLogin(w, http.StatusBadRequest, "InvalidParameterException", told.Message)
	case postrider.CodeRateLimited:
		refuseLogin(w, http.StatusTooManyRequests, "TooManyRequestsException", "Password attempts exceeded")
	case postrider.CodeUnavailable, postrider.CodeStorageFull:
		refuseLogin(w, http.StatusServiceUnavailable, "ServiceUnavailableException", "Logging in is not possible now; try again.")
	default:
		if r.Context().Err() == nil {
			h.log.LogAttrs(r.Context(), slog.LevelError, "a login failed", slog.Any("error", err))
		}
		refuseLogin(w, http.StatusInternalServerError, "InternalErrorException", "Logging in failed; the log of the gateway has more.")
	}
}

// refuseLogin answers in Cognito's way.
func refuseLogin(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("x-amzn-errortype", kind)
	body := jsonscan.AppendQuoted([]byte(`{"__type":`), kind)
	body = jsonscan.AppendQuoted(append(body, `,"message":`...), message)
	write(w, status, append(body, '}'))
}

// readLogin reads a JSON object of texts, all of which are needed. What cannot be read is answered.
func (h *Handler) readLogin(w http.ResponseWriter, r *http.Request, needed ...string) (map[string]string, bool) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		refuseLogin(w, http.StatusMethodNotAllowed, "MethodNotAllowedException", "This path takes POST.")
		return nil, false
	}
	fields, err := readTexts(http.MaxBytesReader(w, r.Body, maxLoginBody), needed)
	if err != nil {
		refuseLogin(w, http.StatusBadRequest, "InvalidParameterException", err.Error())
		return nil, false
	}
	return fields, true
}

func readTexts(body io.Reader, needed []string) (map[string]string, error) {
	text, err := io.ReadAll(body)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, errNoJSON
	}
	fields := map[string]string{}
	err = jsonscan.Members(text, maxJSONDepth, func(key, value []byte) error {
		for _, name := range needed {
			if string(key) != name {
				continue
			}
			field, err := jsonscan.Unquote(value)
			if err != nil {
				return postrider.Errorf(postrider.CodeInvalid, "%s must be a string.", name)
			}
			fields[name] = field
		}
		return nil
	})
	if _, ours := errors.AsType[*postrider.Error](err); ours {
		return nil, err
	}
	if err != nil {
		return nil, errNoJSON
	}
	for _, name := range needed {
		if fields[name] == "" {
			return nil, postrider.Errorf(postrider.CodeInvalid, "%s is required.", name)
		}
	}
	return fields, nil
}

// decodeBase64 takes both alphabets, with padding or without (A001-4), and wants UTF-8 inside.
func decodeBase64(name, text string) (string, error) {
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	decoded, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil || !utf8.Valid(decoded) {
		return "", postrider.Errorf(postrider.CodeInvalid, "%s must be base64 of a text in UTF-8.", name)
	}
	return string(decoded), nil
}
