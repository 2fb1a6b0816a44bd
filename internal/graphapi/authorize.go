package graphapi

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
)

// The three refusals of seed 001, to the letter: the second has no full stop (001.15, trap 8).
const (
	expiredToken = "Token has expired."
	invalidToken = "Unable to parse JWT token"
	missingToken = "User is not authorized to make this call."
)

// authorize finds out who asks by the Authorization header: the ID token, bare (001.5) or behind
// "Bearer " (A001-5). An empty header counts as a missing one, and a good token of a user who may
// not come in any more is answered like that too (A001-7).
func (h *Handler) authorize(r *http.Request) (auth.Principal, *malformed) {
	values := r.Header["Authorization"]
	if len(values) > 1 {
		return auth.Principal{}, unauthorized(invalidToken)
	}
	token := ""
	if len(values) == 1 {
		token = strings.TrimSpace(values[0])
	}
	if scheme, rest, _ := strings.Cut(token, " "); strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(rest)
	}
	if token == "" {
		return auth.Principal{}, unauthorized(missingToken)
	}
	principal, err := h.parts.Tokens.Check(r.Context(), token, h.now())
	switch {
	case err == nil:
		principal.From = caller(r)
		return principal, nil
	case errors.Is(err, auth.ErrTokenExpired):
		return principal, unauthorized(expiredToken)
	case errors.Is(err, auth.ErrTokenRevoked):
		return principal, unauthorized(missingToken)
	case postrider.ErrorCode(err) == postrider.CodeUnauthenticated:
		return principal, unauthorized(invalidToken)
	}
	h.log.LogAttrs(r.Context(), slog.LevelError, "a token could not be checked", slog.Any("error", err))
	return principal, &malformed{http.StatusServiceUnavailable, "ServiceUnavailableException", "The token cannot be checked now; try again."}
}

func unauthorized(message string) *malformed {
	return &malformed{http.StatusUnauthorized, "UnauthorizedException", message}
}
