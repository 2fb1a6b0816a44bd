package config

import (
	"errors"
	"reflect"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/postrider/postrider"
)

// FlagNames lists the flags of serve that stand for a field of Config, in the struct's order, without
// the secrets, which have no flag.
func FlagNames() []string {
	var names []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if field.Type != reflect.TypeFor[postrider.Secret]() {
			names = append(names, strings.TrimPrefix(flagName(field.Tag.Get("env")), "--"))
		}
	}
	return names
}

// VariableName is the environment variable of a flag.
func VariableName(flag string) string {
	return Prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func flagName(variable string) string {
	return "--" + strings.ToLower(strings.ReplaceAll(variable, "_", "-"))
}

// merge lays the flags over the environment; said tells by variable how the user spelt it.
func merge(sources Sources) (variables, said map[string]string) {
	variables, said = make(map[string]string), make(map[string]string)
	for _, pair := range sources.Environ {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, Prefix) && value != "" {
			variables[name], said[name] = value, name
		}
	}
	for flag, value := range sources.Flags {
		name := VariableName(flag)
		variables[name], said[name] = value, "--"+flag
	}
	return variables, said
}

func readVariables(variables, said map[string]string, config *Config, origins map[string]string, f *faults) {
	fields := make(map[string]string) // env tag by field name
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		tag := field.Tag.Get("env")
		fields[field.Name] = tag
		if spelt, found := said[Prefix+tag]; found {
			origins[tag] = spelt
		}
	}
	err := env.ParseWithOptions(config, env.Options{Environment: variables, Prefix: Prefix})
	if err == nil {
		return
	}
	all, ok := errors.AsType[env.AggregateError](err)
	if !ok {
		all.Errors = []error{err}
	}
	for _, err := range all.Errors {
		if fault, ok := errors.AsType[env.ParseError](err); ok {
			f.add(said[Prefix+fields[fault.Name]], "%s", plain(fault.Type, fault.Err))
			continue
		}
		f.add("environment", "%v", err)
	}
}
