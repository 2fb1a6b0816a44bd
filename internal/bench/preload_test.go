package bench

import (
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/keyring"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/store/sqlite"
)

func TestPreloadLaysAFinishedHistory(t *testing.T) {
	ctx, folder := t.Context(), t.TempDir()
	now := time.Now().UTC().Truncate(time.Millisecond)
	key := keyring.Generate(now) // sealed, as a server leaves it
	if err := keyring.WriteFile(folder+".key", []keyring.Key{key}); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(ctx, sqlite.Options{Dir: folder, Sealer: func(bool) (sqlite.Sealer, error) { return keyring.New(key) }})
	if err != nil {
		t.Fatal(err)
	}
	tenant := &postrider.Tenant{ID: postrider.NewTenantID(now), Name: postrider.DefaultTenant, CreatedAt: now}
	if err := s.CreateTenant(ctx, tenant); err != nil {
		t.Fatal(err)
	}
	endpoint := &postrider.Endpoint{
		ID: postrider.NewEndpointID(now), Tenant: tenant.ID, Environment: postrider.Production, URL: "http://127.0.0.1:1/hook/0",
		Topics: []postrider.Topic{liveTopic}, Contract: "generic", State: postrider.EndpointEnabled,
		Secrets: []postrider.Secret{postrider.NewSecret("0123456789abcdef0123456789abcdef")}, CreatedAt: now, UpdatedAt: now,
	}
	if err := s.CreateEndpoint(ctx, endpoint); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	const events = 2*preloadBatch + 3
	if err := preload(ctx, folder, events, 300); err != nil {
		t.Fatal(err)
	}

	if s, err = sqlite.Open(ctx, sqlite.Options{Dir: folder}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found, before := 0, int64(0)
	for {
		page, err := s.Deliveries(ctx, tenant.ID, store.DeliveryFilter{Before: before, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page {
			if d.State != postrider.DeliverySucceeded || d.Attempts != 1 || d.CreatedAt.After(time.Now()) {
				t.Fatalf("delivery %+v is not a finished one of the past", d)
			}
		}
		if found += len(page); len(page) == 0 {
			break
		}
		before = page[len(page)-1].Sequence
	}
	if found != events {
		t.Errorf("%d finished deliveries, want %d", found, events)
	}
	lanes, err := s.Lanes(ctx)
	if err != nil || len(lanes) != 0 {
		t.Errorf("%d lanes with work, %v; want none", len(lanes), err)
	}
}
