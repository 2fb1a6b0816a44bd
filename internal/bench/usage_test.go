package bench

import (
	"os"
	"testing"
	"time"
)

func TestParseStatAddsUserAndSystemTime(t *testing.T) {
	const tail = " S 1 4242 4242 0 -1 4194560 1523 0 0 0 731 269 0 0 20 0 9 0 8412 1263 42\n"
	for name, stat := range map[string]string{
		"plain":                  "4242 (postrider)" + tail,
		"name with spaces":       "4242 (a b c)" + tail,
		"name with parentheses":  "4242 (a) R 9 (9)" + tail,
		"name that looks a stat": "4242 (x) S 1 1 1 0 -1 1 1 0 0 0 5 5)" + tail,
	} {
		got, err := parseStat([]byte(stat))
		if err != nil || got != 10*time.Second {
			t.Errorf("%s: %v, %v; want 10s", name, got, err)
		}
	}
	for _, stat := range []string{"", "4242 (postrider", "4242 (p) S 1 2 3", "4242 (p) S 1 2 3 4 5 6 7 8 9 10 x 2 3"} {
		if got, err := parseStat([]byte(stat)); err == nil {
			t.Errorf("%q: %v, want an error", stat, got)
		}
	}
}

func TestParsePeakGivesBytes(t *testing.T) {
	got, err := parsePeak([]byte("Name:\tpostrider\nVmPeak:\t 1254 kB\nVmHWM:\t   20480 kB\nVmRSS:\t 100 kB\n"))
	if err != nil || got != 20<<20 {
		t.Errorf("%d, %v; want 20 MiB", got, err)
	}
	for _, status := range []string{"", "Name:\tzombie\nState:\tZ\n", "\nVmHWM:\t12 MB\n", "\nVmHWM:\tx kB\n"} {
		if got, err := parsePeak([]byte(status)); err == nil {
			t.Errorf("%q: %d, want an error", status, got)
		}
	}
}

func TestProcessUsageGrowsWithWork(t *testing.T) {
	before, err := processUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for sum, started := 0, time.Now(); time.Since(started) < 10*time.Second; sum++ {
		if sum%1_000_000 != 0 {
			continue
		}
		after, err := processUsage(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if after.cpu >= before.cpu+50*time.Millisecond && after.peakRSS >= before.peakRSS && before.peakRSS > 1<<20 {
			return
		}
	}
	t.Error("ten seconds of work cost less than 50 ms of CPU time")
}
