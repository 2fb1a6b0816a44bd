package client

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"time"

	"github.com/postrider/postrider/api"
)

// Page chooses a page of a list.
type Page struct {
	Cursor string // api.List.Next of the page before; "" for the first
	Limit  int    // 1 to 500; 0: 50
}

// WebhookFilter chooses webhooks. Zero fields do not restrict.
type WebhookFilter struct {
	Environment string
	Contract    string
	Status      string
	Type        string // those that get events of this type
	Page
}

// EventFilter chooses events. Zero fields do not restrict.
type EventFilter struct {
	Environment string
	Type        string
	From, To    time.Time // accepted at or after From, before To
	Page
}

// DeliveryFilter chooses deliveries. Zero fields do not restrict.
type DeliveryFilter struct {
	Environment string
	EventID     string
	WebhookID   string
	State       string
	Type        string
	From, To    time.Time // of an event accepted at or after From, before To
	Page
}

// values makes the query of a list: the client's tenant, the page, and pairs of name and value,
// those without a value left out.
func (c *Client) values(page Page, pairs ...string) url.Values {
	query := url.Values{}
	if c.tenant != "" {
		query.Set("tenant", c.tenant)
	}
	if page.Cursor != "" {
		query.Set("cursor", page.Cursor)
	}
	if page.Limit != 0 {
		query.Set("limit", strconv.Itoa(page.Limit))
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	return query
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// all walks over the pages of a list from the given one on. An error ends the walk and comes with
// the zero element.
func all[T any](ctx context.Context, page Page, fetch func(context.Context, Page) (*api.List[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			list, err := fetch(ctx, page)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range list.Data {
				if !yield(item, nil) {
					return
				}
			}
			if list.Next == nil {
				return
			}
			page.Cursor = *list.Next
		}
	}
}
