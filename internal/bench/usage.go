package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/postrider/postrider"
)

// usage is what a process has used so far.
type usage struct {
	cpu     time.Duration // user and system time of all its threads, to 10 ms
	peakRSS int64         // bytes: the most that was ever resident
}

// clockTick is the unit of CPU times in /proc: USER_HZ, which Linux fixes at 100 on every
// architecture that Go runs on (proc_pid_stat(5), time(7)).
const clockTick = 10 * time.Millisecond

// processUsage reads the usage of a running process from /proc (Linux).
func processUsage(pid int) (usage, error) {
	folder := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(folder + "/stat")
	if err != nil {
		return usage{}, postrider.Errorf(postrider.CodeUnavailable, "the benchmark reads CPU time and memory from /proc, as Linux has it: %w", err)
	}
	status, err := os.ReadFile(folder + "/status")
	if err != nil {
		return usage{}, err
	}
	cpu, err := parseStat(stat)
	if err != nil {
		return usage{}, err
	}
	peak, err := parsePeak(status)
	return usage{cpu: cpu, peakRSS: peak}, err
}

// parseStat gives utime + stime of /proc/<pid>/stat. The command's name, in parentheses, may hold
// spaces and parentheses of its own, so fields are counted from the last one.
func parseStat(stat []byte) (time.Duration, error) {
	end := bytes.LastIndexByte(stat, ')')
	fields := bytes.Fields(stat[end+1:])
	const utime, stime = 14 - 3, 15 - 3 // proc_pid_stat(5) numbers from 1; state, the first after the name, is 3
	if end < 0 || len(fields) <= stime {
		return 0, fmt.Errorf("not a process's stat: %q", stat)
	}
	user, err := strconv.ParseInt(string(fields[utime]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("utime of stat: %w", err)
	}
	system, err := strconv.ParseInt(string(fields[stime]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("stime of stat: %w", err)
	}
	return time.Duration(user+system) * clockTick, nil
}

// parsePeak gives VmHWM of /proc/<pid>/status in bytes.
func parsePeak(status []byte) (int64, error) {
	_, rest, found := bytes.Cut(status, []byte("\nVmHWM:"))
	if !found {
		return 0, fmt.Errorf("no VmHWM in a process's status (is it still running?)")
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) != 2 || string(fields[1]) != "kB" {
		return 0, fmt.Errorf("VmHWM of status: %q", line)
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	return kib << 10, err
}
