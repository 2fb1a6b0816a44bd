package memory_test

import (
	"testing"

	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/store/memory"
	"github.com/postrider/postrider/internal/store/storetest"
)

func TestTheMemoryStoreConforms(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return memory.New() })
}
