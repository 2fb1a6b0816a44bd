package control_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/store"
)

func (h *house) operator() auth.Principal {
	return auth.Principal{Role: postrider.RoleOperator, Environment: postrider.Production, KeyID: postrider.NewKeyID(time.Now())}
}

func TestTheCatalogueOutlivesTheProcess(t *testing.T) {
	ctx, h := context.Background(), newHouse(t, control.Options{})
	text := "An order was placed"
	if _, err := h.CreateTopic(ctx, h.operator(), "order.made", control.TopicChange{Description: &text, Example: []byte(` {"n": 1} `)}); err != nil {
		t.Fatal(err)
	}
	if err := h.SetTopicPolicy(ctx, h.operator(), control.TopicPolicy{Closed: true}); err != nil {
		t.Fatal(err)
	}
	contracts, err := contract.NewSet(contract.Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	next := control.New(control.Options{}, control.Parts{Store: h.store, Contracts: contracts, Subscriptions: h, Lanes: h, Tester: h, KeyMemory: h,
		CheckURL: func(string, bool) error { return nil }})
	found, err := next.FindTopic(ctx, h.operator(), "order.made")
	if err != nil || found.Description != text || string(found.Example) != `{"n":1}` || found.Source != control.TopicOperator || found.CreatedAt.IsZero() {
		t.Errorf("the next process finds %+v %v", found, err)
	}
	if next.CheckTopic(ctx, "order.made") != nil || postrider.ErrorCode(next.CheckTopic(ctx, "order.lost")) != postrider.CodeInvalid || next.CheckTopic(ctx, "resource.created") == nil {
		t.Error("the next process does not hold to the policy")
	}
	if _, _, err := next.RegisterWebhook(ctx, h.admin, control.Registration{URL: "https://example.com", Topics: []postrider.Topic{"order.lost"}}); postrider.ErrorCode(err) != postrider.CodeInvalid {
		t.Errorf("registering for what is not in it gave %v", err)
	}
}

// breaking fails a step of a replay.
type breaking struct {
	store.Store
	steps int
}

func (b *breaking) Replay(ctx context.Context, tenant postrider.TenantID, endpoint postrider.EndpointID, events []int64, due, now time.Time) (int, error) {
	if b.steps--; b.steps < 0 {
		return 0, &postrider.Error{Code: postrider.CodeUnavailable, Message: "the store went away", Err: errors.New("gone")}
	}
	return b.Store.Replay(ctx, tenant, endpoint, events, due, now)
}

// TestAReplayThatBreaksOffKeepsWhatItMade and going on makes the rest, each event once.
func TestAReplayThatBreaksOffKeepsWhatItMade(t *testing.T) {
	ctx, h := context.Background(), newHouse(t, control.Options{})
	webhook := h.register(t)
	const total = 900
	batch := make([]*store.Acceptance, total)
	for i := range batch {
		now := time.Now()
		batch[i] = &store.Acceptance{Event: &postrider.Event{ID: postrider.NewEventID(now), Tenant: h.tenant, Environment: postrider.Production, Topic: "a",
			OccurredAt: now, AcceptedAt: now, Data: []byte("1")}}
	}
	if _, err := h.store.Accept(ctx, batch); err != nil {
		t.Fatal(err)
	}
	broken := &breaking{Store: h.store, steps: 2}
	contracts, err := contract.NewSet(contract.Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	c := control.New(control.Options{}, control.Parts{Store: broken, Contracts: contracts, Subscriptions: h, Lanes: h, Tester: h, KeyMemory: h})
	if _, err := c.ReplayWebhook(ctx, h.admin, "", webhook.ID, control.ReplayRequest{}); postrider.ErrorCode(err) != postrider.CodeUnavailable {
		t.Fatalf("a replay whose store goes away gave %v", err)
	}
	lanes, err := h.store.Lanes(ctx)
	if err != nil || len(lanes) != 1 || len(h.woken) == 0 {
		t.Fatalf("afterwards there are the lanes %v, %d were woken (%v)", lanes, len(h.woken), err)
	}
	entries, _, err := h.AuditEntries(ctx, h.admin, "", false, postrider.ID{}, 1)
	if err != nil || len(entries) != 1 || entries[0].Action != "delivery.replay" || entries[0].Detail != "500 events" {
		t.Errorf("the audit log has %+v %v", entries, err)
	}
	broken.steps = 1000
	done, err := c.ReplayWebhook(ctx, h.admin, "", webhook.ID, control.ReplayRequest{})
	if err != nil || done.Made != total-500 || done.Pending != 500 {
		t.Errorf("going on gave %+v %v", done, err)
	}
}
