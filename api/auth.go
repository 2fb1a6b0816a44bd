package api

import "time"

// WebhookAuth is what an endpoint asks for beside the signature. It is given whole: an empty one asks
// for nothing. Secrets in it are never shown again; see WebhookAuthShown.
type WebhookAuth struct {
	OAuth2            *OAuth2            `json:"oauth2,omitempty" doc:"A bearer token by the OAuth 2.0 client credentials grant, in every request."`
	Basic             *BasicAuth         `json:"basic,omitempty" doc:"A user name and a password (RFC 7617). Not together with oauth2."`
	Headers           map[string]string  `json:"headers,omitempty" doc:"Headers that are sent as they are, at most 20 with 4 KiB in all; none that the contract or the connection sets." example:"{\"X-Api-Key\":\"2b9c…\"}"`
	ClientCertificate *ClientCertificate `json:"client_certificate,omitempty" doc:"A certificate that is shown in the TLS handshake."`
}

// OAuth2 gets tokens by the client credentials grant (RFC 6749, section 4.4).
type OAuth2 struct {
	TokenURL     string `json:"token_url" doc:"Where tokens are asked for, by POST." example:"https://auth.example.com/oauth/token"`
	ClientID     string `json:"client_id" doc:"The client's id." example:"postrider"`
	ClientSecret string `json:"client_secret" doc:"The client's secret." example:"kept-to-itself"`
	Scope        string `json:"scope,omitempty" doc:"Scopes, separated by spaces." example:"webhooks.write"`
	Audience     string `json:"audience,omitempty" doc:"Whom the token is for, where the server wants to know." example:"https://api.example.com"`
	ClientAuth   string `json:"client_auth,omitempty" enum:"basic,body" doc:"How id and secret are shown to the server: by HTTP Basic, or in the body for servers that do not take that. \"basic\" without one." example:"basic"`
}

// BasicAuth is a user name and a password.
type BasicAuth struct {
	Username string `json:"username" doc:"The user name." example:"postrider"`
	Password string `json:"password" doc:"The password." example:"kept-to-itself"`
}

// ClientCertificate is a certificate chain and its private key.
type ClientCertificate struct {
	Chain string `json:"chain" doc:"The certificate and those that lead to its authority, PEM."`
	Key   string `json:"key" doc:"The certificate's private key, PEM, unencrypted."`
}

// WebhookAuthShown is a WebhookAuth without its secrets.
type WebhookAuthShown struct {
	OAuth2            *OAuth2Shown            `json:"oauth2,omitempty" doc:"The OAuth 2.0 client."`
	Basic             *BasicAuthShown         `json:"basic,omitempty" doc:"Whose password is sent."`
	Headers           []string                `json:"headers,omitempty" doc:"The names of the headers that are sent." example:"[\"X-Api-Key\"]"`
	ClientCertificate *ClientCertificateShown `json:"client_certificate,omitempty" doc:"The certificate that is shown."`
}

// OAuth2Shown is an OAuth2 without its secret.
type OAuth2Shown struct {
	TokenURL   string `json:"token_url" doc:"Where tokens are asked for." example:"https://auth.example.com/oauth/token"`
	ClientID   string `json:"client_id" doc:"The client's id." example:"postrider"`
	Scope      string `json:"scope,omitempty" doc:"Scopes, separated by spaces." example:"webhooks.write"`
	Audience   string `json:"audience,omitempty" doc:"Whom the token is for." example:"https://api.example.com"`
	ClientAuth string `json:"client_auth" enum:"basic,body" doc:"How id and secret are shown to the server." example:"basic"`
}

// BasicAuthShown is a BasicAuth without its password.
type BasicAuthShown struct {
	Username string `json:"username" doc:"The user name." example:"postrider"`
}

// ClientCertificateShown says which certificate it is.
type ClientCertificateShown struct {
	Subject     string    `json:"subject" doc:"Whose it is." example:"CN=postrider"`
	Issuer      string    `json:"issuer" doc:"Who signed it." example:"CN=Example CA"`
	Fingerprint string    `json:"fingerprint" doc:"SHA-256 of the certificate, hex." example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	NotAfter    time.Time `json:"not_after" doc:"When it ends."`
}
