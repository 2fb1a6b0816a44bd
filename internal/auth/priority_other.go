//go:build !linux && !darwin

package auth

import "syscall"

func ownGroup() *syscall.SysProcAttr { return nil }

// giveWay does nothing: this system has no such call in Go's standard library.
func giveWay(int) error { return nil }
