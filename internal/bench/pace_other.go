//go:build !linux

package bench

import "time"

func preciseSleep() (release func()) { return func() {} }

func sleepUntil(moment time.Time) { time.Sleep(time.Until(moment)) }
