package cli

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/signature"
)

// verifyOptions are the flags of `verify`.
type verifyOptions struct {
	contract string
	secrets  []string
	headers  []string
	at       string
}

func newVerify(t *Terminal) *cobra.Command {
	var o verifyOptions
	c := &cobra.Command{
		Use:   "verify",
		Short: "Check the signature of a request that a receiver got, and say what is wrong with it",
		Long: `Check the signature of a request that a receiver got, and say what is wrong with it.

The body is read from standard input and must be the very bytes that came: a newline that an editor
adds makes every signature wrong. The secret may also stand in POSTRIDER_SECRET, where other users of
the machine cannot read it. Ends with 0 when every signature that the headers carry is good.`,
		Example: `  postrider verify --contract ewarehousing --secret "$SECRET" --header 'X-Hmac-SHA256: 3q2+7w…' <body.json
  postrider verify --contract standard --secret whsec_… --at 2026-02-18T10:30:00Z \
    --header 'webhook-id: evt_…' --header 'webhook-timestamp: 1771410600' --header 'webhook-signature: v1,…' <body.json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error { return verify(t, o) },
	}
	c.Flags().StringVar(&o.contract, "contract", "generic", "`name` of a built-in contract, or a file of one")
	c.Flags().StringArrayVar(&o.secrets, "secret", nil, "signing `secret`; several times for several")
	c.Flags().StringArrayVarP(&o.headers, "header", "H", nil, "header `line` of the request, 'Name: value'; several times for several")
	c.Flags().StringVar(&o.at, "at", "", "`time` at which the request came, RFC 3339 (default: now)")
	return c
}

func verify(t *Terminal, o verifyOptions) error {
	c, err := findContract(o.contract)
	if err != nil {
		return err
	}
	header, err := parseHeaders(o.headers)
	if err != nil {
		return err
	}
	at := time.Now()
	if o.at != "" {
		if at, err = time.Parse(time.RFC3339, o.at); err != nil {
			return badUsagef("--at: %q is not a time of RFC 3339, such as 2026-02-18T10:30:00Z", o.at)
		}
	}
	secrets, err := verifySecrets(t, o.secrets)
	if err != nil {
		return err
	}
	body, err := readBounded(t.In, "the body on standard input")
	if err != nil {
		return err
	}
	results, err := verifyAll(c, secrets, header, body, at)
	if err != nil {
		return err
	}
	return reportVerification(t, c, results, body)
}

func verifySecrets(t *Terminal, given []string) ([]postrider.Secret, error) {
	if len(given) == 0 {
		if text := t.variable("POSTRIDER_SECRET"); text != "" {
			given = []string{text}
		}
	}
	if len(given) == 0 {
		return nil, badUsagef("no signing secret is given; name it with --secret or in POSTRIDER_SECRET")
	}
	secrets := make([]postrider.Secret, len(given))
	for i, text := range given {
		secrets[i] = postrider.NewSecret(text)
	}
	return secrets, nil
}

func parseHeaders(lines []string) (http.Header, error) {
	header := make(http.Header)
	for _, line := range lines {
		name, value, found := strings.Cut(line, ":")
		if !found || strings.TrimSpace(name) == "" {
			return nil, badUsagef("--header: %q is not a header line; write 'Name: value'", line)
		}
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return header, nil
}

// verification is what one scheme of a contract came to.
type verification struct {
	scheme signature.Scheme
	err    error
}

// verifyAll checks the schemes of the contract whose signature header is there.
func verifyAll(c *contract.Contract, secrets []postrider.Secret, header http.Header, body []byte, at time.Time) ([]verification, error) {
	schemes := c.Schemes()
	if len(schemes) == 0 {
		return nil, postrider.Errorf(postrider.CodeInvalid, "contract %q signs nothing, so there is nothing to verify", c.Name())
	}
	var results []verification
	for _, scheme := range schemes {
		if header.Get(scheme.Header) == "" {
			continue
		}
		verifier, err := signature.NewVerifier(scheme, secrets)
		if err != nil {
			return nil, postrider.Errorf(postrider.CodeInvalid, "the secret does not suit contract %q: %w", c.Name(), err)
		}
		results = append(results, verification{scheme, verifier.Verify(header, body, at)})
	}
	if len(results) == 0 {
		return nil, postrider.Errorf(postrider.CodeInvalid, "no header of the request carries a signature; contract %q signs in %s, so give it with --header", c.Name(), signatures(c))
	}
	return results, nil
}

func reportVerification(t *Terminal, c *contract.Contract, results []verification, body []byte) error {
	var wrong []string
	for _, r := range results {
		if r.err == nil {
			fmt.Fprintf(t.Out, "%s is good: made by contract %q with this secret over these %s.\n", r.scheme.Header, c.Name(), plural(len(body), "byte"))
			continue
		}
		text := r.scheme.Header + " is wrong: " + r.err.Error()
		if fault, ok := errors.AsType[*signature.VerifyError](r.err); ok && fault.Problem == signature.ProblemNoMatch {
			text += bodyAdvice(body)
		}
		wrong = append(wrong, text)
	}
	if len(wrong) == 0 {
		return nil
	}
	return postrider.Errorf(postrider.CodeInvalid, "%s", strings.Join(wrong, "\n  "))
}

// bodyAdvice names what most often happens to a body on its way into a file.
func bodyAdvice(body []byte) string {
	switch {
	case len(body) == 0:
		return "; the body on standard input is empty"
	case body[len(body)-1] == '\n':
		return "; the body ends with a newline, which the gateway never sends: remove it with head -c -1"
	}
	return ""
}
