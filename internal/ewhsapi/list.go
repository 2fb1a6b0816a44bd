package ewhsapi

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/store"
)

// page is the answer to a list. Next and Previous are references to the pages beside it.
type page struct {
	Count    int     `json:"count"` // of all pages
	Next     *string `json:"next"`
	Previous *string `json:"previous"`
	Results  []shown `json:"results"`
}

// selection is what a list's query asks for.
type selection struct {
	limit, page int
	less        func(a, b *postrider.Endpoint) int
	from, until time.Time // registered at or after from, before until; zero: no bound
}

// The bounds of a page.
const (
	defaultLimit = 50
	maxLimit     = 1000
	maxPage      = 1_000_000
)

func (h *Handler) list(w http.ResponseWriter, r *http.Request, c *call) error {
	query := r.URL.Query()
	asked, err := readSelection(query)
	if err != nil {
		return err
	}
	found, err := h.all(r.Context(), c)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(e *postrider.Endpoint) bool {
		return made(e).Before(asked.from) || !asked.until.IsZero() && !made(e).Before(asked.until)
	})
	slices.SortStableFunc(found, asked.less)

	first := min((asked.page-1)*asked.limit, len(found))
	last := min(first+asked.limit, len(found))
	out := page{Count: len(found), Results: make([]shown, 0, last-first)}
	for _, webhook := range found[first:last] {
		out.Results = append(out.Results, show(webhook))
	}
	if last < len(found) {
		out.Next = pageAt(query, asked.page+1)
	}
	if asked.page > 1 {
		out.Previous = pageAt(query, asked.page-1)
	}
	write(w, http.StatusOK, out)
	return nil
}

// all reads all webhooks of this API: the list counts them and sorts them, and a tenant has a bounded
// number.
func (h *Handler) all(ctx context.Context, c *call) ([]*postrider.Endpoint, error) {
	var found []*postrider.Endpoint
	filter := store.EndpointFilter{Contract: contractName, Limit: control.MaxPage}
	for {
		some, more, err := h.parts.Webhooks.Webhooks(ctx, c.principal, c.tenant, filter)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
		if !more || len(some) == 0 {
			return found, nil
		}
		filter.After = some[len(some)-1].ID
	}
}

// pageAt is a reference to another page of the same list (RFC 3986, section 4.2).
func pageAt(query url.Values, number int) *string {
	other := url.Values{"page": {strconv.Itoa(number)}}
	for _, name := range []string{"limit", "sort", "direction", "from", "to"} {
		if value := query.Get(name); value != "" {
			other.Set(name, value)
		}
	}
	reference := "/webhooks/?" + other.Encode()
	return &reference
}

// readSelection reads limit, page, sort, direction, from and to. Other names are left alone.
func readSelection(query url.Values) (selection, error) {
	var faults postrider.Faults
	out := selection{
		limit: number(&faults, query, "limit", defaultLimit, maxLimit),
		page:  number(&faults, query, "page", 1, maxPage),
		from:  moment(&faults, query, "from", false),
		until: moment(&faults, query, "to", true),
	}
	key := order(query.Get("sort"))
	if key == nil {
		faults.Add("sort", "is one of id, url, group, action, created_at and modified_at")
	}
	switch strings.ToLower(query.Get("direction")) {
	case "", "asc":
		out.less = key
	case "desc":
		out.less = func(a, b *postrider.Endpoint) int { return key(b, a) }
	default:
		faults.Add("direction", "is asc or desc")
	}
	return out, faults.Err()
}

func number(faults *postrider.Faults, query url.Values, name string, without, most int) int {
	said := query.Get(name)
	if said == "" {
		return without
	}
	n, err := strconv.Atoi(said)
	if err != nil || n < 1 || n > most {
		faults.Add(name, "is a whole number from 1 to %d", most)
		return without
	}
	return n
}

// moment reads a time: a day, a time with its zone, or as answers write it. The end of a span takes in
// the second or the day that it names.
func moment(faults *postrider.Faults, query url.Values, name string, end bool) time.Time {
	said := query.Get(name)
	if said == "" {
		return time.Time{}
	}
	for form, width := range map[string]time.Duration{time.DateOnly: 24 * time.Hour, time.RFC3339: time.Second, timeForm: time.Second} {
		// A "+" that was not escaped came as a space.
		at, err := time.Parse(form, strings.Replace(said, " ", "+", 1))
		if err != nil {
			continue
		}
		if end {
			at = at.Truncate(time.Second).Add(width)
		}
		return at
	}
	faults.Add(name, "is a day or a time, such as 2022-02-11 or 2022-02-11T17:45:01+0000")
	return time.Time{}
}

// order compares by a field, nil when there is none of that name.
func order(field string) func(a, b *postrider.Endpoint) int {
	by := func(of func(*postrider.Endpoint) string) func(a, b *postrider.Endpoint) int {
		return func(a, b *postrider.Endpoint) int { return cmp.Compare(of(a), of(b)) }
	}
	switch field {
	case "", "created_at", "createdAt":
		return func(a, b *postrider.Endpoint) int { return a.CreatedAt.Compare(b.CreatedAt) }
	case "modified_at", "modifiedAt":
		return func(a, b *postrider.Endpoint) int { return a.UpdatedAt.Compare(b.UpdatedAt) }
	case "id":
		return by(func(e *postrider.Endpoint) string { return e.ID.UUID() })
	case "url":
		return by(func(e *postrider.Endpoint) string { return e.URL })
	case "group":
		return by(func(e *postrider.Endpoint) string { group, _ := groupAndAction(e.Topics); return group })
	case "action":
		return by(func(e *postrider.Endpoint) string { _, action := groupAndAction(e.Topics); return action })
	}
	return nil
}
