package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

func tenantTests() []test {
	return []test{
		{"a tenant is found by id and by name", func(b *bench) {
			want := postrider.Tenant{ID: b.acme, Name: "acme", CreatedAt: start}
			got, err := b.FindTenant(b.ctx, b.acme)
			b.must(err)
			b.equal("by id", *got, want)
			got, err = b.FindTenantByName(b.ctx, "acme")
			b.must(err)
			b.equal("by name", *got, want)
			_, err = b.FindTenant(b.ctx, postrider.NewTenantID(start))
			b.wantCode(err, postrider.CodeNotFound)
			_, err = b.FindTenantByName(b.ctx, "Acme")
			b.wantCode(err, postrider.CodeNotFound)
		}},
		{"a name is taken once", func(b *bench) {
			err := b.CreateTenant(b.ctx, &postrider.Tenant{ID: postrider.NewTenantID(start), Name: "acme", CreatedAt: start})
			b.wantCode(err, postrider.CodeConflict)
			if !strings.Contains(err.Error(), "acme") {
				b.Errorf("the error does not name it: %v", err)
			}
		}},
		{"tenants are listed by id, page by page", func(b *bench) {
			want := []string{"acme", "other"}
			for i := range 5 {
				name := fmt.Sprintf("tenant-%d", 9-i)
				b.tenant(name)
				want = append(want, name)
			}
			var got []string
			for after := (postrider.TenantID{}); ; {
				page, err := b.Tenants(b.ctx, after, 3)
				b.must(err)
				for _, tenant := range page {
					got = append(got, tenant.Name)
					after = tenant.ID
				}
				if len(page) < 3 {
					break
				}
			}
			b.equal("names", got, want)
		}},
	}
}

func keyTests() []test {
	key := func(tenant postrider.TenantID, hash byte) *postrider.Key {
		return &postrider.Key{ID: postrider.NewKeyID(start), Tenant: tenant, Environment: postrider.Sandbox, Role: postrider.RolePublisher,
			Name: fmt.Sprintf("key %d", hash), Hash: [32]byte{0: hash, 31: 0xff}, CreatedAt: start}
	}
	return []test{
		{"a key is found by its hash", func(b *bench) {
			one, operator := key(b.acme, 1), key(postrider.TenantID{}, 2)
			one.ExpiresAt = start.Add(time.Hour)
			operator.Role, operator.Environment = postrider.RoleOperator, postrider.Production
			for _, k := range []*postrider.Key{one, operator} {
				b.must(b.CreateKey(b.ctx, k))
				got, err := b.FindKey(b.ctx, k.Hash)
				b.must(err)
				b.equal("key", got, k)
			}
			_, err := b.FindKey(b.ctx, [32]byte{3})
			b.wantCode(err, postrider.CodeNotFound)
		}},
		{"a hash is taken once, a tenant must be there", func(b *bench) {
			b.must(b.CreateKey(b.ctx, key(b.acme, 1)))
			b.wantCode(b.CreateKey(b.ctx, key(b.other, 1)), postrider.CodeConflict)
			b.wantCode(b.CreateKey(b.ctx, key(postrider.NewTenantID(start), 2)), postrider.CodeNotFound)
		}},
		{"keys are listed by tenant, and the operator's by themselves", func(b *bench) {
			want := make(map[postrider.TenantID][]postrider.Key)
			for i := range 9 {
				tenant := []postrider.TenantID{b.acme, b.other, {}}[i%3]
				k := key(tenant, byte(i))
				b.must(b.CreateKey(b.ctx, k))
				want[tenant] = append(want[tenant], *k)
			}
			for tenant := range want {
				got, err := b.Keys(b.ctx, tenant)
				b.must(err)
				b.equal("keys", got, want[tenant])
			}
		}},
		{"a key keeps when it was used last, whoever it belongs to", func(b *bench) {
			mine, operators, unused := key(b.acme, 1), key(postrider.TenantID{}, 2), key(b.acme, 3)
			operators.LastUsedAt = start
			for _, k := range []*postrider.Key{mine, operators, unused} {
				b.must(b.CreateKey(b.ctx, k))
			}
			at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
			b.must(b.TouchKeys(b.ctx, nil))
			b.must(b.TouchKeys(b.ctx, []store.KeyUse{{Key: mine.ID, At: at(5)}, {Key: postrider.NewKeyID(start), At: at(1)}, {Key: operators.ID, At: at(-1)}}))
			b.must(b.TouchKeys(b.ctx, []store.KeyUse{{Key: mine.ID, At: at(7).Add(999)}, {Key: mine.ID, At: at(6)}}))
			mine.LastUsedAt = at(7)
			for _, want := range []*postrider.Key{mine, operators, unused} {
				got, err := b.FindKey(b.ctx, want.Hash)
				b.must(err)
				b.equal("key", got, want)
			}
		}},
		{"a revoked key is gone, and only its own tenant revokes it", func(b *bench) {
			mine, operators := key(b.acme, 1), key(postrider.TenantID{}, 2)
			for _, k := range []*postrider.Key{mine, operators} {
				b.must(b.CreateKey(b.ctx, k))
				for _, stranger := range []postrider.TenantID{b.other, postrider.NewTenantID(start)} {
					b.wantCode(b.DeleteKey(b.ctx, stranger, k.ID), postrider.CodeNotFound)
				}
			}
			b.wantCode(b.DeleteKey(b.ctx, postrider.TenantID{}, mine.ID), postrider.CodeNotFound)
			b.wantCode(b.DeleteKey(b.ctx, b.acme, operators.ID), postrider.CodeNotFound)
			for _, k := range []*postrider.Key{mine, operators} {
				b.must(b.DeleteKey(b.ctx, k.Tenant, k.ID))
				_, err := b.FindKey(b.ctx, k.Hash)
				b.wantCode(err, postrider.CodeNotFound)
				b.wantCode(b.DeleteKey(b.ctx, k.Tenant, k.ID), postrider.CodeNotFound)
			}
		}},
	}
}

func endpointTests() []test {
	return []test{
		{"an endpoint comes back as it was made", func(b *bench) {
			plain := b.endpoint(b.acme)
			full := b.endpoint(b.acme, func(e *postrider.Endpoint) {
				e.Environment, e.Topics, e.Description = postrider.Sandbox, []postrider.Topic{"*", "a.b-c_d"}, "ü 'quoted'\n"
				e.State, e.DisabledReason, e.DisabledAt = postrider.EndpointDisabled, postrider.DisabledByUser, start
				e.Secrets = []postrider.Secret{postrider.NewSecret("new\x00 ü "), postrider.NewSecret("old")}
				e.MaxInFlight, e.RateLimit, e.RateBurst = 3, 0.1, 7
			})
			for _, want := range []*postrider.Endpoint{plain, full} {
				got, err := b.FindEndpoint(b.ctx, b.acme, want.ID)
				b.must(err)
				b.equal("endpoint", got, want)
			}
		}},
		{"making one twice is a conflict, in an unknown tenant not found", func(b *bench) {
			e := b.endpoint(b.acme)
			b.wantCode(b.CreateEndpoint(b.ctx, e), postrider.CodeConflict)
			lost := *e
			lost.ID, lost.Tenant = postrider.NewEndpointID(start), postrider.NewTenantID(start)
			b.wantCode(b.CreateEndpoint(b.ctx, &lost), postrider.CodeNotFound)
		}},
		{"another tenant's endpoint is not found", func(b *bench) {
			e := b.endpoint(b.acme)
			for _, tenant := range []postrider.TenantID{b.other, {}} {
				_, err := b.FindEndpoint(b.ctx, tenant, e.ID)
				b.wantCode(err, postrider.CodeNotFound)
				_, err = b.UpdateEndpoint(b.ctx, tenant, e.ID, store.EndpointPatch{}, start)
				b.wantCode(err, postrider.CodeNotFound)
				_, err = b.DeleteEndpoint(b.ctx, tenant, e.ID, start)
				b.wantCode(err, postrider.CodeNotFound)
			}
			got, err := b.FindEndpoint(b.ctx, b.acme, e.ID)
			b.must(err)
			b.equal("endpoint", got, e)
		}},
		{"endpoints are listed oldest first, page by page, by filter", testEndpointList},
		{"each endpoint of every tenant is visited until visit fails", testEachEndpoint},
		{"a patch changes what it names", testPatch},
		{"a patch keeps the rules of states", testPatchState},
		{"a deleted endpoint is not found", func(b *bench) {
			e := b.endpoint(b.acme, func(e *postrider.Endpoint) { e.Secrets = []postrider.Secret{postrider.NewSecret("s")} })
			event := b.accept(b.event(b.acme), e)
			got, err := b.DeleteEndpoint(b.ctx, b.acme, e.ID, start.Add(time.Hour+1))
			b.must(err)
			want := *e
			want.DeletedAt = start.Add(time.Hour)
			b.equal("deleted endpoint", got, &want)
			_, err = b.FindEndpoint(b.ctx, b.acme, e.ID)
			b.wantCode(err, postrider.CodeNotFound)
			_, err = b.UpdateEndpoint(b.ctx, b.acme, e.ID, store.EndpointPatch{}, start)
			b.wantCode(err, postrider.CodeNotFound)
			_, err = b.DeleteEndpoint(b.ctx, b.acme, e.ID, start)
			b.wantCode(err, postrider.CodeNotFound)
			all, err := b.Endpoints(b.ctx, b.acme, store.EndpointFilter{Limit: 10})
			b.must(err)
			b.must(b.EachEndpoint(b.ctx, func(e *postrider.Endpoint) error { all = append(all, e); return nil }))
			if len(all) != 0 {
				b.Errorf("a deleted endpoint is listed: %+v", all)
			}
			// Its deliveries are still there to be explained.
			if d := b.delivery(event, 1); d.Endpoint != e.ID || d.State != postrider.DeliveryPending {
				b.Errorf("delivery %+v", d)
			}
		}},
	}
}

func testEndpointList(b *bench) {
	var all, inSandbox, shiip []postrider.EndpointID
	for i := range 12 {
		e := b.endpoint(b.acme, func(e *postrider.Endpoint) {
			e.CreatedAt = start.Add(time.Duration(i) * time.Second)
			if i%3 == 0 {
				e.Environment = postrider.Sandbox
			}
			if i%4 == 0 {
				e.Contract = "shiip"
			}
		})
		b.endpoint(b.other)
		if i == 5 {
			_, err := b.DeleteEndpoint(b.ctx, b.acme, e.ID, start)
			b.must(err)
			continue
		}
		all = append(all, e.ID)
		if i%3 == 0 {
			inSandbox = append(inSandbox, e.ID)
			if i%4 == 0 {
				shiip = append(shiip, e.ID)
			}
		}
	}
	for _, c := range []struct {
		name   string
		filter store.EndpointFilter
		want   []postrider.EndpointID
	}{
		{"all", store.EndpointFilter{}, all},
		{"sandbox", store.EndpointFilter{Environment: postrider.Sandbox}, inSandbox},
		{"sandbox and contract", store.EndpointFilter{Environment: postrider.Sandbox, Contract: "shiip"}, shiip},
		{"unknown contract", store.EndpointFilter{Contract: "x"}, nil},
	} {
		for _, limit := range []int{1, 4, 1000} {
			c.filter.Limit, c.filter.After = limit, postrider.EndpointID{}
			var got []postrider.EndpointID
			for {
				page, err := b.Endpoints(b.ctx, b.acme, c.filter)
				b.must(err)
				for _, e := range page {
					got = append(got, e.ID)
					c.filter.After = e.ID
				}
				if len(page) < limit {
					break
				}
			}
			b.equal(fmt.Sprintf("%s, pages of %d", c.name, limit), got, c.want)
		}
	}
}

func testEachEndpoint(b *bench) {
	var want []*postrider.Endpoint
	for i := range 7 {
		want = append(want, b.endpoint([]postrider.TenantID{b.acme, b.other}[i%2], func(e *postrider.Endpoint) {
			e.Secrets = []postrider.Secret{postrider.NewSecret(fmt.Sprint("secret ", i))}
		}))
	}
	var got []*postrider.Endpoint
	b.must(b.EachEndpoint(b.ctx, func(e *postrider.Endpoint) error {
		got = append(got, e)
		_, err := b.FindEndpoint(b.ctx, e.Tenant, e.ID) // visit may call the store
		return err
	}))
	slices.SortFunc(got, func(x, y *postrider.Endpoint) int { return strings.Compare(x.ID.String(), y.ID.String()) })
	b.equal("endpoints", got, want)
	stop, calls := errors.New("stop"), 0
	err := b.EachEndpoint(b.ctx, func(*postrider.Endpoint) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		b.Errorf("%v after %d calls, want visit's own error after 1", err, calls)
	}
}

func testPatch(b *bench) {
	want := b.endpoint(b.acme, func(e *postrider.Endpoint) { e.Secrets = []postrider.Secret{postrider.NewSecret("a")} })
	beside := b.endpoint(b.acme)
	patch := func(p store.EndpointPatch, change func(e *postrider.Endpoint)) {
		b.Helper()
		change(want)
		now := want.UpdatedAt.Add(time.Minute)
		want.UpdatedAt = now
		got, err := b.UpdateEndpoint(b.ctx, b.acme, want.ID, p, now.Add(999))
		b.must(err)
		b.equal("answer", got, want)
		got, err = b.FindEndpoint(b.ctx, b.acme, want.ID)
		b.must(err)
		b.equal("stored", got, want)
	}
	patch(store.EndpointPatch{}, func(*postrider.Endpoint) {})
	patch(store.EndpointPatch{URL: new("https://new.example")}, func(e *postrider.Endpoint) { e.URL = "https://new.example" })
	topics := []postrider.Topic{"x", "y.*"}
	patch(store.EndpointPatch{Topics: &topics}, func(e *postrider.Endpoint) { e.Topics = topics })
	patch(store.EndpointPatch{Contract: new("shiip"), Description: new("d")}, func(e *postrider.Endpoint) { e.Contract, e.Description = "shiip", "d" })
	secrets := []postrider.Secret{postrider.NewSecret("b"), postrider.NewSecret("a"), postrider.NewSecret("c")}
	patch(store.EndpointPatch{Secrets: &secrets}, func(e *postrider.Endpoint) { e.Secrets = secrets })
	patch(store.EndpointPatch{Secrets: new(secrets[:1])}, func(e *postrider.Endpoint) { e.Secrets = secrets[:1] })
	patch(store.EndpointPatch{Secrets: new([]postrider.Secret)}, func(e *postrider.Endpoint) { e.Secrets = nil })
	patch(store.EndpointPatch{MaxInFlight: new(2), RateLimit: new(2.5), RateBurst: new(9)},
		func(e *postrider.Endpoint) { e.MaxInFlight, e.RateLimit, e.RateBurst = 2, 2.5, 9 })
	patch(store.EndpointPatch{MaxInFlight: new(0), Description: new("")}, func(e *postrider.Endpoint) { e.MaxInFlight, e.Description = 0, "" })
	got, err := b.FindEndpoint(b.ctx, b.acme, beside.ID)
	b.must(err)
	b.equal("the endpoint beside", got, beside)
	_, err = b.UpdateEndpoint(b.ctx, b.acme, postrider.NewEndpointID(start), store.EndpointPatch{}, start)
	b.wantCode(err, postrider.CodeNotFound)
}

func testPatchState(b *bench) {
	e := b.endpoint(b.acme)
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	for i, step := range []struct {
		state      postrider.EndpointState
		reason     *postrider.DisabledReason
		wantReason postrider.DisabledReason
		wantAt     time.Time
	}{
		{postrider.EndpointPaused, nil, "", time.Time{}},
		{postrider.EndpointDisabled, new(postrider.DisabledByUser), postrider.DisabledByUser, at(1)},
		{postrider.EndpointDisabled, new(postrider.DisabledByGone), postrider.DisabledByGone, at(1)}, // it was disabled then
		{postrider.EndpointEnabled, new(postrider.DisabledByGone), "", time.Time{}},
		{postrider.EndpointDisabled, new(postrider.DisabledByExhausted), postrider.DisabledByExhausted, at(4)},
		{postrider.EndpointPaused, nil, "", time.Time{}},
	} {
		got, err := b.UpdateEndpoint(b.ctx, b.acme, e.ID, store.EndpointPatch{State: &step.state, DisabledReason: step.reason}, at(i))
		b.must(err)
		if got.State != step.state || got.DisabledReason != step.wantReason || !got.DisabledAt.Equal(step.wantAt) {
			b.Errorf("step %d: %+v", i, got)
		}
	}
}

func storeTests() []test {
	return []test{
		{"ping reports a store that can be written to", func(b *bench) { b.must(b.Ping(b.ctx)) }},
		{"a closed store is unavailable", func(b *bench) {
			endpoint := b.endpoint(b.acme)
			e := b.accept(b.event(b.acme), endpoint)
			b.must(b.Close())
			b.must(b.Close())
			for name, err := range everyCall(b, e, endpoint) {
				if postrider.ErrorCode(err) != postrider.CodeUnavailable {
					b.Errorf("%s: %v, want an error of code unavailable", name, err)
				}
			}
		}},
	}
}

// everyCall makes each call of the store once and gives its error.
func everyCall(b *bench, e *postrider.Event, endpoint *postrider.Endpoint) map[string]error {
	errs := make(map[string]error)
	id := deliveryID(e, 1)
	_, errs["Accept"] = b.Accept(b.ctx, []*store.Acceptance{{Event: b.event(b.acme)}})
	_, errs["Lanes"] = b.Lanes(b.ctx)
	_, errs["Due"] = b.Due(b.ctx, endpoint.ID, start, 1)
	errs["Settle"] = b.Settle(b.ctx, []store.Settlement{settlement(e, 1, 1, endpoint.ID)})
	_, errs["CancelPending"] = b.CancelPending(b.ctx, endpoint.ID, postrider.ReasonEndpointDeleted, start, 1)
	_, errs["LaneEndpoint"] = b.LaneEndpoint(b.ctx, endpoint.ID)
	_, errs["FindEvent"] = b.FindEvent(b.ctx, b.acme, "", e.ID.String())
	_, errs["Events"] = b.Events(b.ctx, b.acme, store.EventFilter{Limit: 1})
	_, errs["EventDeliveries"] = b.EventDeliveries(b.ctx, b.acme, e.ID)
	_, errs["FindDelivery"] = b.FindDelivery(b.ctx, b.acme, id)
	_, errs["Deliveries"] = b.Deliveries(b.ctx, b.acme, store.DeliveryFilter{Limit: 1})
	_, errs["Attempts"] = b.Attempts(b.ctx, b.acme, id)
	_, errs["RetryDelivery"] = b.RetryDelivery(b.ctx, b.acme, id, start)
	errs["CreateTenant"] = b.CreateTenant(b.ctx, &postrider.Tenant{ID: postrider.NewTenantID(start), Name: "x"})
	_, errs["FindTenant"] = b.FindTenant(b.ctx, b.acme)
	_, errs["FindTenantByName"] = b.FindTenantByName(b.ctx, "acme")
	_, errs["Tenants"] = b.Tenants(b.ctx, postrider.TenantID{}, 1)
	errs["CreateEndpoint"] = b.CreateEndpoint(b.ctx, endpoint)
	_, errs["FindEndpoint"] = b.FindEndpoint(b.ctx, b.acme, endpoint.ID)
	_, errs["Endpoints"] = b.Endpoints(b.ctx, b.acme, store.EndpointFilter{Limit: 1})
	errs["EachEndpoint"] = b.EachEndpoint(b.ctx, func(*postrider.Endpoint) error { return nil })
	_, errs["UpdateEndpoint"] = b.UpdateEndpoint(b.ctx, b.acme, endpoint.ID, store.EndpointPatch{}, start)
	_, errs["DeleteEndpoint"] = b.DeleteEndpoint(b.ctx, b.acme, endpoint.ID, start)
	errs["CreateKey"] = b.CreateKey(b.ctx, &postrider.Key{ID: postrider.NewKeyID(start)})
	_, errs["FindKey"] = b.FindKey(b.ctx, [32]byte{})
	_, errs["Keys"] = b.Keys(b.ctx, b.acme)
	errs["DeleteKey"] = b.DeleteKey(b.ctx, b.acme, postrider.NewKeyID(start))
	errs["TouchKeys"] = b.TouchKeys(b.ctx, []store.KeyUse{{Key: postrider.NewKeyID(start), At: start}})
	user := &postrider.User{ID: postrider.NewUserID(start), Login: "x"}
	errs["CreateUser"] = b.CreateUser(b.ctx, user)
	_, errs["FindUser"] = b.FindUser(b.ctx, user.ID)
	_, errs["FindUserByLogin"] = b.FindUserByLogin(b.ctx, user.Login)
	_, errs["Users"] = b.Users(b.ctx, b.acme, postrider.UserID{}, 1)
	_, errs["UpdateUser"] = b.UpdateUser(b.ctx, b.acme, user.ID, store.UserPatch{}, start)
	errs["DeleteUser"] = b.DeleteUser(b.ctx, b.acme, user.ID)
	errs["CreateToken"] = b.CreateToken(b.ctx, newToken(1, start))
	errs["RotateToken"] = b.RotateToken(b.ctx, [32]byte{}, newToken(1, start), start)
	errs["EndTokens"] = b.EndTokens(b.ctx, user.ID)
	_, errs["PruneTokens"] = b.PruneTokens(b.ctx, start, 1)
	_, errs["Setting"] = b.Setting(b.ctx, "x")
	errs["PutSetting"] = b.PutSetting(b.ctx, "x", nil, false)
	errs["AppendAudit"] = b.AppendAudit(b.ctx, &postrider.AuditEntry{ID: postrider.NewID(start)})
	_, errs["AuditEntries"] = b.AuditEntries(b.ctx, b.acme, postrider.ID{}, 1)
	_, errs["Outdated"] = b.Outdated(b.ctx)
	_, errs["Reseal"] = b.Reseal(b.ctx, 1)
	errs["Ping"] = b.Ping(b.ctx)
	return errs
}

// RunReopen tests that a store keeps everything when it is closed and opened again. open opens the
// store that belongs to dir, and makes it the first time.
func RunReopen(t *testing.T, open func(t *testing.T, dir string) store.Store) {
	dir := t.TempDir()
	b := newBench(t, open(t, dir))
	endpoint := b.endpoint(b.acme, func(e *postrider.Endpoint) {
		e.Secrets = []postrider.Secret{postrider.NewSecret("s")}
		e.Rotation, e.Auth = rotation(), fullAuth()
	})
	user := b.user(b.acme, "ann")
	token := b.token(user.ID, 1)
	b.must(b.PutSetting(b.ctx, "name", []byte("value"), true))
	entry := postrider.AuditEntry{ID: postrider.NewID(start), At: start, Actor: "key_1", Action: "tenant.create", Subject: "ten_1"}
	b.must(b.AppendAudit(b.ctx, &entry))
	key := &postrider.Key{ID: postrider.NewKeyID(start), Tenant: b.acme, Environment: postrider.Production, Role: postrider.RoleAdmin, Hash: [32]byte{1}, CreatedAt: start}
	b.must(b.CreateKey(b.ctx, key))
	settled := b.accept(b.event(b.acme, givenID("one")), endpoint)
	s := settlement(settled, 1, 1, endpoint.ID)
	s.Attempt = fullAttempt(settled)
	b.settle(s)
	pending := b.accept(b.event(b.acme), endpoint)
	was := b.due(endpoint, start, 10)
	delivery := b.delivery(settled, 1)
	b.must(b.Close())

	b.Store = open(t, dir)
	b.equal("due", b.due(endpoint, start, 10), was)
	b.equal("lanes", b.lanes(), []store.Lane{{Endpoint: endpoint.ID, Earliest: start}})
	b.equal("settled delivery", b.delivery(settled, 1), delivery)
	b.equal("attempts", b.attempts(settled, 1), []postrider.Attempt{*s.Attempt})
	got, err := b.FindEndpoint(b.ctx, b.acme, endpoint.ID)
	b.must(err)
	b.equal("endpoint", got, endpoint)
	gotKey, err := b.FindKey(b.ctx, key.Hash)
	b.must(err)
	b.equal("key", gotKey, key)
	gotUser, err := b.FindUserByLogin(b.ctx, "ann")
	b.must(err)
	b.equal("user", gotUser, user)
	_, err = b.rotate(token, 2, start)
	b.must(err)
	value, err := b.Setting(b.ctx, "name")
	b.must(err)
	b.equal("setting", value, []byte("value"))
	entries, err := b.AuditEntries(b.ctx, postrider.TenantID{}, postrider.ID{}, 10)
	b.must(err)
	b.equal("audit", entries, []postrider.AuditEntry{entry})
	if again := b.acceptOne(&store.Acceptance{Event: b.event(b.acme, givenID("one"))}); !again.Duplicate || again.EventID != settled.ID {
		b.Errorf("the given id is forgotten: %+v", again)
	}
	if next := b.accept(b.event(b.acme)); next.Sequence <= pending.Sequence {
		b.Errorf("sequence %d after %d", next.Sequence, pending.Sequence)
	}
}
