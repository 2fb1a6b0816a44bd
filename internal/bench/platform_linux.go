package bench

import (
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// endWithParent lets the kernel end the child when the thread that started it ends: the last resort
// for a benchmark that was killed, beside closing the child's standard input.
func endWithParent(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// inMemory reports whether a folder lies in memory, where making something durable costs nothing.
func inMemory(folder string) bool {
	var stat syscall.Statfs_t
	const tmpfs, ramfs = 0x01021994, 0x858458f6 // statfs(2)
	return syscall.Statfs(folder, &stat) == nil && (int64(stat.Type) == tmpfs || int64(stat.Type) == ramfs)
}

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
