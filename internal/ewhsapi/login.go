package ewhsapi

import (
	"net/http"
	"net/netip"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
)

// session is the answer to a login: a token for "Authorization: Bearer", when it was issued and when
// it ends (seconds of Unix time), and a token that gives the next ones, once.
type session struct {
	Token        string `json:"token"`
	IssuedAt     int64  `json:"iat"`
	ExpiresAt    int64  `json:"exp"`
	RefreshToken string `json:"refresh_token"`
}

func (h *Handler) login(w http.ResponseWriter, r *http.Request, _ *call) error {
	said, err := credentials(w, r, "username", "password")
	if err != nil {
		return err
	}
	begun, err := h.parts.Logins.Login(r.Context(), said["username"], said["password"], address(r))
	if postrider.ErrorCode(err) == postrider.CodeUnauthenticated {
		return postrider.Errorf(postrider.CodeUnauthenticated, "Invalid credentials.")
	}
	return h.answer(w, r, begun, err)
}

func (h *Handler) refresh(w http.ResponseWriter, r *http.Request, _ *call) error {
	said, err := credentials(w, r, "refresh_token")
	if err != nil {
		return err
	}
	begun, err := h.parts.Logins.RefreshLogin(r.Context(), said["refresh_token"])
	if postrider.ErrorCode(err) == postrider.CodeUnauthenticated {
		return postrider.Errorf(postrider.CodeUnauthenticated, "Invalid refresh token.")
	}
	return h.answer(w, r, begun, err)
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, begun *auth.Session, err error) error {
	if err != nil {
		return err
	}
	if begun, err = h.parts.Tokens.Lasting(r.Context(), begun, h.options.TokenLife); err != nil {
		return err
	}
	write(w, http.StatusOK, session{
		Token: begun.IDToken, IssuedAt: begun.IssuedAt.Unix(), ExpiresAt: begun.ExpiresAt.Unix(), RefreshToken: begun.RefreshToken,
	})
	return nil
}

// credentials reads a body of which every field is needed.
func credentials(w http.ResponseWriter, r *http.Request, names ...string) (fields, error) {
	text, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	var faults postrider.Faults
	said, err := decode(&faults, text, names, nil)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if said[name] == "" {
			faults.Add(name, "is required")
		}
	}
	return said, faults.Err()
}

// address is the network address of who asks, for the throttling of guesses; zero when it is unknown.
func address(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap()
}
