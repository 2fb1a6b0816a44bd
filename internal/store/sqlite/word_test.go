package sqlite

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/postrider/postrider"
)

// TestEveryWordOfTheVocabularyHasItsNumber reads the constants of the root package, so that a new
// word there cannot be forgotten here.
func TestEveryWordOfTheVocabularyHasItsNumber(t *testing.T) {
	lists := map[string]map[string]bool{
		"Environment": wordSet(environmentWords[:]), "EndpointState": wordSet(endpointStateWords[:]), "DeliveryState": wordSet(deliveryStateWords[:]),
		"Trigger": wordSet(triggerWords[:]), "OutcomeKind": wordSet(outcomeKindWords[:]), "OutcomeCode": wordSet(outcomeCodeWords[:]), "ReasonCode": wordSet(reasonWords[:]),
	}
	found := make(map[string]int)
	for kind, word := range constants(t, "../../..") {
		typeName, _, _ := strings.Cut(kind, " ")
		list, known := lists[typeName]
		if !known {
			continue
		}
		found[typeName]++
		if !list[word] {
			t.Errorf("%s %q has no number in word.go", typeName, word)
		}
		if typeName == "OutcomeCode" && !lists["ReasonCode"][word] {
			t.Errorf("outcome code %q has no number as a reason in word.go", word)
		}
	}
	for typeName := range lists {
		if found[typeName] == 0 {
			t.Errorf("no constants of type %s were found", typeName)
		}
	}
}

func wordSet[W ~string](words []W) map[string]bool {
	all := make(map[string]bool)
	for _, word := range words {
		all[string(word)] = true
	}
	return all
}

// constants gives the typed string constants of a folder as "Type Name" and value.
func constants(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), dir+"/"+entry.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || spec.Type == nil || len(spec.Values) != 1 {
				return true
			}
			typeName, isIdent := spec.Type.(*ast.Ident)
			literal, isLiteral := spec.Values[0].(*ast.BasicLit)
			if isIdent && isLiteral {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					all[typeName.Name+" "+spec.Names[0].Name] = text
				}
			}
			return true
		})
	}
	return all
}

// TestNumbersNeverChange: they stand in files.
func TestNumbersNeverChange(t *testing.T) {
	for want, words := range [][4]any{
		{number(deliveryStateWords[:], postrider.DeliveryPending), number(endpointStateWords[:], ""), number(environmentWords[:], ""), number(triggerWords[:], "")},
		{number(deliveryStateWords[:], postrider.DeliverySucceeded), number(endpointStateWords[:], postrider.EndpointEnabled), number(environmentWords[:], postrider.Production), number(triggerWords[:], postrider.TriggerSchedule)},
		{number(deliveryStateWords[:], postrider.DeliveryFailed), number(endpointStateWords[:], postrider.EndpointPaused), number(environmentWords[:], postrider.Sandbox), number(triggerWords[:], postrider.TriggerManual)},
		{number(deliveryStateWords[:], postrider.DeliveryCancelled), number(endpointStateWords[:], postrider.EndpointDisabled), number(reasonWords[:], postrider.ReasonEndpointDeleted), number(triggerWords[:], postrider.TriggerTest)},
	} {
		for _, got := range words {
			if got != int64(want) {
				t.Errorf("row %d holds %v", want, got)
			}
		}
	}
	if got := number(outcomeCodeWords[:], postrider.OutcomeInterrupted); got != int64(13) {
		t.Errorf("the last outcome code is %v, want 13", got)
	}
	if got := number(outcomeCodeWords[:], "from_the_future"); got != "from_the_future" {
		t.Errorf("an unknown word is stored as %v", got)
	}
}
