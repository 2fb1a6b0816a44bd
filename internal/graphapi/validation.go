package graphapi

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// wording is how AppSync names the breach of a rule and words it: with the names, in order, that
// gqlparser's own message has in double quotes.
type wording struct {
	kind   string
	format string // "" keeps to the kind alone
	names  []int  // which of the quoted names stand in format; ^n is the last segment of a dotted one
}

// wordings is the table from gqlparser's rules, some of them by the beginning of the message, to
// AppSync's words. Nothing that a client wrote as a value gets into a message: it may be a secret.
func wordings(rule, message string) wording {
	switch rule {
	case "FieldsOnCorrectType":
		return wording{"FieldUndefined", "Field '%s' in type '%s' is undefined", []int{0, 1}}
	case "KnownArgumentNames":
		return wording{"UnknownArgument", "Unknown field argument %s", []int{0}}
	case "KnownDirectives":
		if strings.HasPrefix(message, "Directive") {
			return wording{"MisplacedDirective", "Directive %s not allowed here", []int{0}}
		}
		return wording{"UnknownDirective", "Unknown directive %s", []int{0}}
	case "KnownFragmentNames":
		return wording{"UndefinedFragment", "Undefined fragment %s", []int{0}}
	case "KnownTypeNames":
		return wording{"UnknownType", "Unknown type %s", []int{0}}
	case "KnownRootType":
		return wording{"OperationNotSupported", "%s operation is not supported by the schema", []int{0}}
	case "ProvidedRequiredArguments":
		return wording{"MissingFieldArgument", "Missing field argument %s", []int{1}}
	case "ScalarLeafs":
		if strings.Contains(message, "must not have a selection") {
			return wording{"SubSelectionNotAllowed", "Sub selection not allowed on leaf type %[2]s of field %[1]s", []int{0, 1}}
		}
		return wording{"SubSelectionRequired", "Sub selection required for type %[2]s of field %[1]s", []int{0, 1}}
	case "ValuesOfCorrectType":
		switch {
		case strings.HasSuffix(message, "was not provided."):
			return wording{"WrongType", "argument is missing required fields '[%s]'", []int{^0}}
		case strings.Contains(message, "is not defined by type"):
			return wording{"WrongType", "argument contains a field not in '%[2]s': '%[1]s'", []int{0, 1}}
		}
		return wording{kind: "WrongType", format: "argument value is not of the expected type"}
	case "NoUndefinedVariables":
		return wording{"UndefinedVariable", "Undefined variable %s", []int{0}}
	case "NoUnusedVariables":
		return wording{"UnusedVariable", "Unused variable %s", []int{0}}
	case "NoUnusedFragments":
		return wording{"UnusedFragment", "Unused fragment %s", []int{0}}
	case "NoFragmentCycles":
		return wording{kind: "FragmentCycle", format: "Fragment cycles not allowed"}
	case "FragmentsOnCompositeTypes":
		return wording{kind: "FragmentTypeConditionInvalid", format: "Fragment type condition is invalid, must be on Object/Interface/Union"}
	case "PossibleFragmentSpreads":
		return wording{kind: "InvalidFragmentType", format: "Fragment cannot be spread here, its type does not apply"}
	case "VariablesAreInputTypes":
		return wording{"NonInputTypeOnVariable", "Input variable %s type %s is not an input type", []int{0, 1}}
	case "VariablesInAllowedPosition":
		return wording{"VariableTypeMismatch", "Variable type '%[2]s' doesn't match expected type '%[3]s'", []int{0, 1, 2}}
	case "OverlappingFieldsCanBeMerged":
		return wording{"FieldsConflict", "%s: fields conflict; use different aliases", []int{0}}
	case "LoneAnonymousOperation":
		return wording{kind: "LoneAnonymousOperationViolation", format: "Anonymous operation with other operations."}
	case "MaxIntrospectionDepth":
		return wording{kind: "IntrospectionDepthExceeded", format: "Introspection is nested too deep"}
	case "UniqueArgumentNames", "UniqueInputFieldNames", "UniqueVariableNames", "UniqueFragmentNames", "UniqueOperationNames", "UniqueDirectivesPerLocation":
		kind := "Duplicate" + strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(rule, "Unique"), "s"), "sPerLocation") + "s"
		return wording{kind, "There can be only one '%s'", []int{0}}
	}
	return wording{kind: rule}
}

// validationFaults words what validation found, bounded.
func validationFaults(document *ast.QueryDocument, found gqlerror.List) []fault {
	places := placesOf(document)
	var faults []fault
	for _, err := range found[:min(len(found), maxErrors)] {
		faults = append(faults, fault{kind: "ValidationError", message: validationMessage(err, places), locations: err.Locations})
	}
	return faults
}

func validationMessage(err *gqlerror.Error, places []place) string {
	quotedText := regexp.MustCompile(`"([^"]*)"`)
	quoted := quotedText.FindAllStringSubmatch(err.Message, 4)
	w := wordings(err.Rule, err.Message)
	message := "Validation error of type " + w.kind
	if names, complete := w.pick(quoted); complete && w.format != "" {
		message += ": " + fmt.Sprintf(w.format, names...)
	}
	if len(err.Locations) > 0 {
		if path := fieldAt(places, err.Locations[0]); path != "" {
			message += " @ '" + path + "'"
		}
	}
	return message
}

// pick chooses the names that go into the format, and reports whether all are there.
func (w wording) pick(quoted [][]string) ([]any, bool) {
	var names []any
	for _, at := range w.names {
		last := at < 0
		if last {
			at = ^at
		}
		if at >= len(quoted) {
			return nil, false
		}
		name := strings.TrimLeft(quoted[at][1], "$@")
		if last {
			name = name[strings.LastIndexByte(name, '.')+1:]
		}
		names = append(names, shorten(name))
	}
	return names, true
}

// place is where a field stands in the text, with its path: "webhooks/webhooks/id".
type place struct {
	line, column int
	path         string
}

// placesOf lists the fields of a document in the order of the text.
func placesOf(document *ast.QueryDocument) []place {
	var places []place
	var walk func(set ast.SelectionSet, path string)
	walk = func(set ast.SelectionSet, path string) {
		for _, selection := range set {
			switch s := selection.(type) {
			case *ast.Field:
				inner := s.Alias
				if path != "" {
					inner = path + "/" + s.Alias
				}
				places = append(places, place{s.Position.Line, s.Position.Column, inner})
				walk(s.SelectionSet, inner)
			case *ast.InlineFragment:
				walk(s.SelectionSet, path)
			}
		}
	}
	for _, operation := range document.Operations {
		walk(operation.SelectionSet, "")
	}
	for _, fragment := range document.Fragments {
		walk(fragment.SelectionSet, fragment.Name)
	}
	return places
}

// fieldAt finds the path of the field at a location, or of the last one before it, whose argument it is.
func fieldAt(places []place, at gqlerror.Location) string {
	best := place{}
	for _, p := range places {
		before := p.line < at.Line || p.line == at.Line && p.column <= at.Column
		later := p.line > best.line || p.line == best.line && p.column > best.column
		if before && later {
			best = p
		}
	}
	return shorten(best.path)
}
