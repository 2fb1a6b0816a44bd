package archtest

import (
	"go/ast"
	"testing"
)

func TestSecretsAreRevealedWhereTheyMustBe(t *testing.T) {
	l := newLaw(t, "each place that takes a secret's text out can let it slip: whoever reviews secrets reads these files and no others", map[string]string{
		"secret.go":                        "Equal compares the texts",
		"signature/key.go":                 "the text is the key",
		"contract/contract.go":             "the contract's rules are about the text's length and form",
		"internal/control/rules.go":        "the text's length is bounded",
		"internal/control/endpointauth.go": "the texts are bounded and must be fit for a header",
		"internal/auth/password.go":        "a password is kept as its argon2id hash",
		"internal/auth/key.go":             "a bearer key is kept as the hash of its text",
		"internal/config/config.go":        "the operator's key has a least length",
		"internal/server/firststart.go":    "the operator's key is kept as its hash",
		"internal/server/bootstrap.go":     "a bootstrapped key is kept as its hash",
		"internal/keyring/key.go":          "keys are read from a text and written to one",
		"internal/keyring/ring.go":         "the key's bytes seal",
		"internal/store/sqlite/vault.go":   "signing secrets are needed again, in full, for every request",
		"internal/egress/credentials.go":   "passwords and headers that an endpoint asks for are sent in full",
		"internal/egress/oauth.go":         "the client's secret is shown to its token server",
		"internal/egress/certificate.go":   "the client's key signs the TLS handshake",
		"internal/restapi/admin.go":        "a new key is shown once, in the answer that made it",
		"internal/restapi/webhook.go":      "a generated secret is shown once, in the answer that made it",
		"internal/ewhsapi/webhook.go":      "a generated secret is shown once, in the answer that made it",
		"internal/cli/serve.go":            "the operator's first key is shown once, when it was made",
		"internal/bench/wire.go":           "the yardstick publishes with a key that it made for the run",
		"internal/bench/round.go":          "secrets that the yardstick made for the run go to its own processes",
		"internal/bench/contender.go":      "secrets that the yardstick made for the run go to its own processes",
	})
	l.house.each(func(f *file, node ast.Node) {
		selector, ok := node.(*ast.SelectorExpr)
		if ok && selector.Sel.Name == "Reveal" && besideTheFloors()[f.pkg] == "" && !l.excepted(f.path) {
			l.breach(l.at(node), "Reveal")
		}
	})
}

func TestContextsBeginWhereSomethingIsOwned(t *testing.T) {
	l := newLaw(t, "a context that begins in the middle cannot be cancelled from above: it begins in main, or with something that outlives its callers and is stopped by its owner", map[string]string{
		"internal/cli/app.go":                 "the program's own",
		"internal/ingest/commit.go":           "a commit outlives its callers, and Close waits for it",
		"internal/deliver/engine.go":          "the engine outlives its callers, and Stop cancels it",
		"internal/store/sqlite/connection.go": "the writer's statements belong to no caller: a group of them is committed or not as a whole",
	})
	l.house.each(func(f *file, node ast.Node) {
		if (f.uses(node, "context", "Background") || f.uses(node, "context", "TODO")) && besideTheFloors()[f.pkg] == "" && !l.excepted(f.path) {
			l.breach(l.at(node), "a context begins here")
		}
	})
}

func TestCertificatesAreVerified(t *testing.T) {
	l := newLaw(t, "a connection whose other end is not verified tells secrets to whoever answers", nil)
	l.house.each(func(_ *file, node ast.Node) {
		if name, ok := node.(*ast.Ident); ok && name.Name == "InsecureSkipVerify" {
			l.breach(l.at(node), "InsecureSkipVerify")
		}
	})
}

func TestRequestsGoThroughAClientThatSomebodyMade(t *testing.T) {
	l := newLaw(t, "the default client has no time limit, follows redirects, reads the environment's proxy and dials whatever it is told; and it is shared by the whole process", nil)
	l.house.each(func(f *file, node ast.Node) {
		for _, name := range []string{"Get", "Post", "Head", "PostForm", "DefaultClient", "DefaultTransport", "DefaultServeMux", "HandleFunc", "ListenAndServe", "ListenAndServeTLS"} {
			if f.uses(node, "net/http", name) {
				l.breach(l.at(node), "http.%s", name)
			}
		}
	})
}
