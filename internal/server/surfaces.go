package server

import (
	"net/http"
	"strings"

	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/ewhsapi"
	"github.com/postrider/postrider/internal/graphapi"
)

// surface is one tongue beside REST, and the paths that it answers.
type surface struct {
	owns    func(path string) bool
	handler http.Handler
}

// surfaces makes the tongues beside REST.
func (s *Server) surfaces(webhooks *control.Control, tokens *auth.Tokens, keys *auth.Authenticator) []surface {
	return []surface{
		{ewhsapi.Owns, ewhsapi.New(ewhsapi.Options{WMSCode: s.options.Config.WMSCode, Logger: s.log},
			ewhsapi.Parts{Webhooks: webhooks, Logins: webhooks, Tokens: tokens, Keys: keys})},
		{graphapi.Owns, graphapi.New(graphapi.Options{Logger: s.log}, graphapi.Parts{Webhooks: webhooks, Logins: webhooks, Tokens: tokens})},
	}
}

// shareOut gives each request to the surface that owns its path, and what none owns to REST.
func shareOut(rest http.Handler, others []surface) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v1/") { // events come under it, and nobody else's paths do
			for _, other := range others {
				if other.owns(r.URL.Path) {
					other.handler.ServeHTTP(w, r)
					return
				}
			}
		}
		rest.ServeHTTP(w, r)
	})
}
