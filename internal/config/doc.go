// Package config gathers what an operator may set for a server into one typed Config.
//
// Four sources fill it, each over the one before: the defaults, a YAML file, environment variables
// POSTRIDER_…, flags. Every flag has the environment variable of its name, because a flag is read
// as its variable said louder: Load puts the flags that were given into the environment and parses
// once. All faults of all sources are reported together, each with where it stands.
//
// A second document, the bootstrap file, names tenants, keys and endpoints that a server makes at
// its start if they are absent; see Bootstrap.
package config
