package sqlite

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/postrider/postrider"
)

// Sealer encrypts what nobody may read from the disk. What it seals opens only for the same purpose,
// tenant and row.
type Sealer interface {
	// Seal encrypts with the newest key and gives that key's id.
	Seal(purpose string, tenant postrider.TenantID, row string, plain []byte) (key string, sealed []byte, err error)
	// Open decrypts. The error is of postrider.Error, says what to do and shows no secret.
	Open(purpose string, tenant postrider.TenantID, row string, sealed []byte) ([]byte, error)
	// Newest is the id of the key that seals. It is never "".
	Newest() string
}

// vault is the one door through which secrets go to the disk and come back. Beside each stands the id
// of the key that sealed it; "" is a value from before there were keys, or of a store without a Sealer.
type vault struct{ sealer Sealer }

// place is where a sealed value stands, and what it is bound to.
type place struct {
	purpose string
	tenant  postrider.TenantID
	row     string
}

func settingPlace(name string) place { return place{purpose: "setting", row: name} }

// endpointPlace is for the rows of endpoint_secret.
func endpointPlace(tenant postrider.TenantID, endpoint postrider.EndpointID, number int64) place {
	return place{"endpoint_secret", tenant, endpoint.String() + "/" + strconv.FormatInt(number, 10)}
}

// The numbers in endpoint_secret.place that are no signing secret's.
const (
	authPlace = -2 // EndpointAuth, as JSON
	nextPlace = -1 // SecretRotation.Next
)

func (v vault) seal(p place, plain []byte) (key string, sealed []byte, err error) {
	if v.sealer == nil {
		return "", plain, nil
	}
	return v.sealer.Seal(p.purpose, p.tenant, p.row, plain)
}

func (v vault) open(p place, key string, stored []byte) ([]byte, error) {
	switch {
	case key == "" && v.sealer == nil:
		return stored, nil
	case key == "":
		return nil, postrider.Errorf(postrider.CodeInternal, "a stored secret (%s %s) is not sealed, so that it was not Postrider that wrote it", p.purpose, p.row)
	case v.sealer == nil:
		return nil, postrider.Errorf(postrider.CodeInternal, "a stored secret (%s %s) is sealed by the key %q, and no keys were given", p.purpose, p.row, key)
	}
	return v.sealer.Open(p.purpose, p.tenant, p.row, stored)
}

// secretsText reads all that is secret of an endpoint.
const secretsText = "SELECT place, sealed_by, secret FROM endpoint_secret WHERE endpoint = ? ORDER BY place"

// readSecret puts one row of secretsText into its endpoint. The rotation must be there already.
func (v vault) readSecret(e *postrider.Endpoint, row scanner) error {
	var number int64
	var key string
	var stored []byte
	if err := row.Scan(&number, &key, &stored); err != nil {
		return err
	}
	plain, err := v.open(endpointPlace(e.Tenant, e.ID, number), key, stored)
	if err != nil {
		return err
	}
	switch {
	case number >= 0:
		e.Secrets = append(e.Secrets, postrider.NewSecret(string(plain)))
	case number == authPlace:
		return decodeAuth(plain, &e.Auth)
	case number == nextPlace && e.Rotation != nil:
		e.Rotation.Next = postrider.NewSecret(string(plain))
	default:
		return fmt.Errorf("%s has a secret at the unknown place %d", e.ID, number)
	}
	return nil
}

// writeSecrets puts all that is secret of an endpoint in place of what is stored.
func (v vault) writeSecrets(c *connection, num int64, e *postrider.Endpoint) error {
	if _, err := c.run("DELETE FROM endpoint_secret WHERE endpoint = ?", num); err != nil {
		return err
	}
	put := func(number int64, plain []byte) error {
		key, sealed, err := v.seal(endpointPlace(e.Tenant, e.ID, number), plain)
		if err != nil {
			return err
		}
		_, err = c.run("INSERT INTO endpoint_secret (endpoint, place, sealed_by, secret) VALUES (?, ?, ?, ?)", num, number, key, sealed)
		return err
	}
	for i, secret := range e.Secrets {
		if err := put(int64(i), []byte(secret.Reveal())); err != nil {
			return err
		}
	}
	if e.Rotation != nil {
		if err := put(nextPlace, []byte(e.Rotation.Next.Reveal())); err != nil {
			return err
		}
	}
	if e.Auth.IsZero() {
		return nil
	}
	auth, err := encodeAuth(&e.Auth)
	if err != nil {
		return err
	}
	return put(authPlace, auth)
}

// The stored form of an EndpointAuth. Its fields are texts, since a Secret does not show itself to JSON.
type (
	storedAuth struct {
		OAuth       *storedOAuth       `json:"oauth,omitempty"`
		Basic       *storedBasic       `json:"basic,omitempty"`
		Headers     []storedHeader     `json:"headers,omitempty"`
		Certificate *storedCertificate `json:"certificate,omitempty"`
	}
	storedOAuth struct {
		TokenURL     string `json:"token_url"`
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		Scope        string `json:"scope,omitempty"`
		Audience     string `json:"audience,omitempty"`
		InBody       bool   `json:"in_body,omitempty"`
	}
	storedBasic struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	storedHeader struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	storedCertificate struct {
		Chain string `json:"chain"`
		Key   string `json:"key"`
	}
)

func encodeAuth(a *postrider.EndpointAuth) ([]byte, error) {
	var out storedAuth
	if o := a.OAuth; o != nil {
		out.OAuth = &storedOAuth{o.TokenURL, o.ClientID, o.ClientSecret.Reveal(), o.Scope, o.Audience, o.SecretInBody}
	}
	if b := a.Basic; b != nil {
		out.Basic = &storedBasic{b.Username, b.Password.Reveal()}
	}
	for _, h := range a.Headers {
		out.Headers = append(out.Headers, storedHeader{h.Name, h.Value.Reveal()})
	}
	if c := a.Certificate; c != nil {
		out.Certificate = &storedCertificate{c.Chain, c.Key.Reveal()}
	}
	return json.Marshal(out)
}

func decodeAuth(stored []byte, a *postrider.EndpointAuth) error {
	var in storedAuth
	if err := json.Unmarshal(stored, &in); err != nil {
		return fmt.Errorf("what an endpoint asks for cannot be read: %w", err)
	}
	*a = postrider.EndpointAuth{}
	if o := in.OAuth; o != nil {
		a.OAuth = &postrider.OAuthClient{TokenURL: o.TokenURL, ClientID: o.ClientID, ClientSecret: postrider.NewSecret(o.ClientSecret), Scope: o.Scope, Audience: o.Audience, SecretInBody: o.InBody}
	}
	if b := in.Basic; b != nil {
		a.Basic = &postrider.BasicAuth{Username: b.Username, Password: postrider.NewSecret(b.Password)}
	}
	for _, h := range in.Headers {
		a.Headers = append(a.Headers, postrider.SecretHeader{Name: h.Name, Value: postrider.NewSecret(h.Value)})
	}
	if c := in.Certificate; c != nil {
		a.Certificate = &postrider.ClientCertificate{Chain: c.Chain, Key: postrider.NewSecret(c.Key)}
	}
	return nil
}
