// Package server is the composition root: the one place where all parts of a Postrider server are
// put together, started and stopped. It holds no handler, no SQL and no rule of its own.
//
// To begin reading: compose in compose.go is one straight line from the store up to the HTTP
// server, each part's teardown registered beside its construction; Stop runs the teardowns in
// reverse. firststart.go makes what a new store needs, bootstrap.go what an operator's bootstrap
// file asks for.
package server
