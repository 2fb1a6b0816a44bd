package auth

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzAStoredHashIsReadAsItIsWritten(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzYWx0$c29tZXNhbHRzYWx0c29tZXNhbHQ")
	f.Add("$argon2id$v=19$m=+64,t=01,p= 1$c29tZXNhbHRzYWx0$c29tZXNhbHRzYWx0c29tZXNhbHQ")
	f.Fuzz(func(t *testing.T, text string) {
		read, err := parsePHC(text)
		if err != nil {
			return
		}
		if read.memory > maxMemory || read.passes > maxPasses || read.lanes > maxLanes || read.memory*read.passes == 0 || len(read.sum) < 16 {
			t.Errorf("%q costs %+v", text, read.cost)
		}
		again, err := parsePHC(read.String())
		if err != nil || !cmp.Equal(read, again, cmp.AllowUnexported(phc{}, cost{})) {
			t.Errorf("%q is written as %q: %v", text, read.String(), err)
		}
	})
}
