//go:build !linux

package bench

import (
	"os/exec"
	"time"
)

func endWithParent(*exec.Cmd) {}

func inMemory(string) bool { return false }

func preciseSleep() (release func()) { return func() {} }

func sleepUntil(moment time.Time) { time.Sleep(time.Until(moment)) }
