package restapi

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/internal/control"
)

// endpointAuth reads what an endpoint asks for beside the signature; nil asks for nothing.
func endpointAuth(asked *api.WebhookAuth) (postrider.EndpointAuth, error) {
	var auth postrider.EndpointAuth
	if asked == nil {
		return auth, nil
	}
	if o := asked.OAuth2; o != nil {
		auth.OAuth = &postrider.OAuthClient{
			TokenURL: o.TokenURL, ClientID: o.ClientID, ClientSecret: postrider.NewSecret(o.ClientSecret), Scope: o.Scope, Audience: o.Audience,
			SecretInBody: o.ClientAuth == clientInBody,
		}
		if o.ClientAuth != "" && o.ClientAuth != clientByBasic && o.ClientAuth != clientInBody {
			return auth, postrider.FieldError("auth.oauth2.client_auth", "use \"basic\" or \"body\"")
		}
	}
	if b := asked.Basic; b != nil {
		auth.Basic = &postrider.BasicAuth{Username: b.Username, Password: postrider.NewSecret(b.Password)}
	}
	for _, name := range slices.Sorted(maps.Keys(asked.Headers)) {
		auth.Headers = append(auth.Headers, postrider.SecretHeader{Name: name, Value: postrider.NewSecret(asked.Headers[name])})
	}
	if c := asked.ClientCertificate; c != nil {
		auth.Certificate = &postrider.ClientCertificate{Chain: c.Chain, Key: postrider.NewSecret(c.Key)}
	}
	return auth, nil
}

// How an OAuth client shows its id and secret.
const (
	clientByBasic = "basic"
	clientInBody  = "body"
)

// wireAuth writes what an endpoint asks for without its secrets; nil when that is nothing.
func wireAuth(auth *postrider.EndpointAuth) *api.WebhookAuthShown {
	if auth.IsZero() {
		return nil
	}
	shown := &api.WebhookAuthShown{}
	if o := auth.OAuth; o != nil {
		shown.OAuth2 = &api.OAuth2Shown{TokenURL: o.TokenURL, ClientID: o.ClientID, Scope: o.Scope, Audience: o.Audience, ClientAuth: clientByBasic}
		if o.SecretInBody {
			shown.OAuth2.ClientAuth = clientInBody
		}
	}
	if b := auth.Basic; b != nil {
		shown.Basic = &api.BasicAuthShown{Username: b.Username}
	}
	for _, header := range auth.Headers {
		shown.Headers = append(shown.Headers, header.Name)
	}
	if auth.Certificate != nil {
		shown.ClientCertificate = &api.ClientCertificateShown{}
		if leaf := control.LeafOf(auth.Certificate); leaf != nil {
			sum := sha256.Sum256(leaf.Raw)
			*shown.ClientCertificate = api.ClientCertificateShown{
				Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(), Fingerprint: hex.EncodeToString(sum[:]), NotAfter: leaf.NotAfter.UTC(),
			}
		}
	}
	return shown
}
