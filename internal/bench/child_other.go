//go:build !linux

package bench

import "os/exec"

func endWithParent(*exec.Cmd) {}
