package bench

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// machine is what the figures were seen on.
type machine struct {
	System    string `json:"system"`
	Processor string `json:"processor"`
	CPUs      int    `json:"cpus"`
	Go        string `json:"go"`

	Sync time.Duration `json:"sync_ns"` // the median time in which the disk makes a small write durable
	Busy float64       `json:"load"`    // load average of the minute before; 0 when unknown
}

// newMachine looks at this machine, and at the disk that holds folder.
func newMachine(folder string) machine {
	m := machine{
		System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version(),
		Processor: processorName(), Busy: loadAverage(),
	}
	if sync, err := syncTime(folder); err == nil {
		m.Sync = sync
	}
	return m
}

// isBusy reports whether other programs took a good part of the machine before the benchmark began.
func (m *machine) isBusy() bool { return m.Busy > 0.5*float64(m.CPUs) }

// processorName is what Linux calls the processor; "" when it does not say.
func processorName() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(text), "model name")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Trim(line, " \t:")
}

// loadAverage is that of the last minute; 0 when the system does not say.
func loadAverage() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, _ := strconv.ParseFloat(first, 64) // 0 when it is no number
	return load
}

// The probe of the disk: as much as a commit of a few events writes.
const (
	probes    = 30
	probeSize = 32 << 10
)

// syncTime is the median time from a small write until the disk has it.
func syncTime(folder string) (median time.Duration, err error) {
	file, err := os.CreateTemp(folder, "postrider-bench-probe-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	took := make([]time.Duration, probes)
	block := make([]byte, probeSize)
	for i := range took {
		started := time.Now()
		if _, err := file.Write(block); err != nil {
			return 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, err
		}
		took[i] = time.Since(started)
	}
	slices.Sort(took)
	return took[probes/2], nil
}
