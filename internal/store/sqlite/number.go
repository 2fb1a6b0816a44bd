package sqlite

import (
	"github.com/postrider/postrider"
)

// numbers gives the small numbers that stand for tenants and endpoints in the rows of events and
// deliveries. A number never changes and is never used again, so what was looked up once is kept.
// It belongs to the writer's goroutine.
type numbers struct {
	c         *connection
	tenants   map[postrider.TenantID]int64
	endpoints map[postrider.EndpointID]int64
}

func newNumbers(c *connection) numbers {
	return numbers{c: c, tenants: make(map[postrider.TenantID]int64), endpoints: make(map[postrider.EndpointID]int64)}
}

// tenant gives a tenant's number, 0 when there is no such tenant.
func (n *numbers) tenant(id postrider.TenantID) (int64, error) {
	return lookUp(n.c, n.tenants, id, id.ID, "SELECT num FROM tenant WHERE id = ?")
}

// endpoint gives an endpoint's number, a deleted one's too, 0 when there is no such endpoint.
func (n *numbers) endpoint(id postrider.EndpointID) (int64, error) {
	return lookUp(n.c, n.endpoints, id, id.ID, "SELECT num FROM endpoint WHERE id = ?")
}

func lookUp[K comparable](c *connection, known map[K]int64, key K, id postrider.ID, query string) (int64, error) {
	if num, found := known[key]; found {
		return num, nil
	}
	row, err := c.row(query, id[:])
	if err != nil || row == nil {
		return 0, err
	}
	num := row[0].(int64)
	known[key] = num
	return num, nil
}
