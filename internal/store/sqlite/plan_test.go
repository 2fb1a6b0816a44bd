package sqlite

import (
	"database/sql/driver"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// TestPlans compares how SQLite goes about each statement with testdata/plans.txt. A change there
// is a change of cost: look at it before taking it over with POSTRIDER_UPDATE_GOLDEN=1.
func TestPlans(t *testing.T) {
	s := open(t, t.TempDir())
	tenant, endpoint := postrider.NewTenantID(time.Now()), postrider.NewEndpointID(time.Now())
	list := func(f store.DeliveryFilter) string {
		f.Before, f.BeforeNumber, f.Limit = 5, 5, 100
		return deliveriesQuery(tenant, f).text.String()
	}
	var b strings.Builder
	for _, one := range []struct{ name, text string }{
		{"accept: look up a tenant", "SELECT num FROM tenant WHERE id = ?"},
		{"accept: look up an endpoint", "SELECT num FROM endpoint WHERE id = ?"},
		{"accept: look up a key", findKeyText},
		{"settle: deliveries", s.writer.settler.deliveries.text[1]},
		{"settle: look at a delivery", findStateText},
		{"cancel", cancelText},
		{"retry", retryText},
		{"lanes", lanesText},
		{"due", dueText},
		{"next due", nextDueText},
		{"event by id", eventByIDText},
		{"event by given id", eventByKeyText},
		{"deliveries of an event", eventDeliveriesText},
		{"delivery by id", findDeliveryText},
		{"attempts", attemptsText},
		{"events", eventsQuery(tenant, store.EventFilter{Before: 5, Topic: "a", From: time.Now(), Limit: 1}).text.String()},
		{"deliveries", list(store.DeliveryFilter{})},
		{"deliveries, succeeded", list(store.DeliveryFilter{State: postrider.DeliverySucceeded})},
		{"deliveries, pending", list(store.DeliveryFilter{State: postrider.DeliveryPending})},
		{"deliveries, failed", list(store.DeliveryFilter{State: postrider.DeliveryFailed})},
		{"deliveries, an endpoint", list(store.DeliveryFilter{Endpoint: endpoint})},
		{"deliveries, an endpoint, pending", list(store.DeliveryFilter{Endpoint: endpoint, State: postrider.DeliveryPending})},
		{"deliveries, an endpoint, failed", list(store.DeliveryFilter{Endpoint: endpoint, State: postrider.DeliveryFailed})},
		{"replay: an event", replayEventText},
		{"replay: an endpoint", replayEndpointText},
		{"replay: one of many", replaySequenceText},
		{"replay: search", replayQuery(tenant, endpoint, store.ReplayFilter{After: 1, Through: 5, From: time.Now(), Topics: [][]postrider.Topic{{"a", "b"}}}).text.String()},
		{"key by hash", "SELECT " + keyColumns + " FROM api_key k LEFT JOIN tenant t ON t.num = k.tenant WHERE k.hash = ?"},
		{"key: touch", touchKeyText},
		{"user by id", userByIDText},
		{"user by login", userByLoginText},
		{"users", usersOfTenantText},
		{"users of the operator", usersOfOperatorText},
		{"refresh token", tokenText},
		{"refresh tokens: end a user's", endTokensText},
		{"refresh tokens: end a family", endFamilyText},
		{"refresh tokens: prune", pruneTokensText},
		{"setting", settingText},
		{"audit", auditText},
		{"audit of the operator", auditOperatorText},
		{"seal: keys of secrets", sealedTables[0].nextKey},
		{"seal: secrets of a key", sealedTables[0].rows},
		{"seal: count secrets of a key", sealedTables[0].count},
		{"seal: put a secret back", sealedTables[0].update},
		{"seal: keys of settings", sealedTables[1].nextKey},
		{"seal: settings of a key", sealedTables[1].rows},
		{"secrets of an endpoint", secretsText},
		{"endpoint", endpointOfTenantText},
		{"endpoints", endpointsText},
	} {
		fmt.Fprintf(&b, "%s\n", one.name)
		rows, err := s.writer.c.rows("EXPLAIN QUERY PLAN "+one.text, make([]driver.Value, 200)...)
		if err != nil {
			t.Fatalf("%s: %v", one.name, err)
		}
		depth := map[int64]int{0: 0}
		for _, row := range rows {
			depth[row[0].(int64)] = depth[row[1].(int64)] + 1
			fmt.Fprintf(&b, "%s%s\n", strings.Repeat("    ", depth[row[0].(int64)]), row[3])
		}
	}
	golden(t, "plans.txt", b.String())
	for _, line := range strings.Split(b.String(), "\n") {
		if table, scans := strings.CutPrefix(strings.TrimSpace(line), "SCAN "); scans && table != "lane" && table != "v" && table != "f" &&
			!strings.Contains(table, "CONSTANT") && !strings.Contains(table, "-ROW VALUES CLAUSE") {
			t.Errorf("a whole table is read: %s", line)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("POSTRIDER_UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
