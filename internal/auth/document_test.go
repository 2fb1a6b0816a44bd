package auth_test

import (
	"os"
	"strings"
	"testing"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
)

// TestTheDocumentedTableIsTheOneInForce holds docs/security.md against the code.
func TestTheDocumentedTableIsTheOneInForce(t *testing.T) {
	roles := []postrider.Role{postrider.RoleOperator, postrider.RoleAdmin, postrider.RolePublisher, postrider.RoleViewer}
	var want strings.Builder
	want.WriteString("| action | operator | admin | publisher | viewer |\n|---|---|---|---|---|\n")
	for _, action := range auth.Actions() {
		want.WriteString("| `" + action.String() + "` |")
		for _, role := range roles {
			if auth.Allowed(role, action) {
				want.WriteString(" yes |")
			} else {
				want.WriteString(" |")
			}
		}
		want.WriteString("\n")
	}
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\n"+want.String()+"\n") {
		t.Errorf("docs/security.md does not hold the table in force, which is\n%s", want.String())
	}
}
