package bench

import (
	"runtime"
	"syscall"
	"time"
)

// preciseSleep prepares the calling goroutine for sleepUntil; release undoes it. A sleep of the Go
// runtime ends up to a millisecond late on Linux, which would be most of the latency that is measured.
func preciseSleep() (release func()) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}

func sleepUntil(moment time.Time) {
	for {
		left := time.Until(moment)
		if left <= 0 {
			return
		}
		pause := syscall.NsecToTimespec(int64(left))
		_ = syscall.Nanosleep(&pause, nil) // an interrupted sleep goes on with what is left
	}
}
