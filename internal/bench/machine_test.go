package bench

import (
	"os"
	"testing"
)

func TestTheMachineIsDescribedAndTheProbeLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	m := newMachine(folder)
	if m.CPUs < 1 || m.Go == "" || m.System == "" || m.Sync <= 0 {
		t.Errorf("%+v", m)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 0 {
		t.Errorf("the probe left %v, %v", left, err)
	}
	if _, err := syncTime(folder + "/not-there"); err == nil {
		t.Error("a folder that is not there has no disk")
	}
}

func TestABusyMachineIsSaidToBeBusy(t *testing.T) {
	for load, want := range map[float64]bool{0: false, 0.9: false, 1.1: true, 12: true} {
		if got := (&machine{CPUs: 2, Busy: load}).isBusy(); got != want {
			t.Errorf("load %v on 2 CPUs: %v", load, got)
		}
	}
}
