// Package cli is the program postrider: one file a command, and app.go, which puts them together.
//
// Commands that manage a server speak to it only through package client, as any other program would;
// serve, demo and bench start servers of their own; contract and verify work without one.
//
// What a command prints for people goes to standard output as plain tables; --json prints what the
// REST interface answered. An error is one line on standard error that says what was wrong and
// what to do. Exit codes: 0 done, 1 failed, 2 bad usage.
package cli
