package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/client"
)

// remote is how a command reaches a server: the flags that all remote commands share.
type remote struct {
	t      *Terminal
	url    string
	key    string
	tenant string
	json   bool
}

const (
	defaultURL   = "http://127.0.0.1:8080"
	maxRetryWait = 5 * time.Second // between two tries of a call that may be repeated
)

// newRemote adds the shared flags to a command and all that it will hold.
func newRemote(t *Terminal, c *cobra.Command) *remote {
	r := &remote{t: t}
	flags := c.PersistentFlags()
	flags.StringVar(&r.url, "url", "", "`URL` of the server (POSTRIDER_URL; default "+defaultURL+")")
	flags.StringVar(&r.key, "key", "", "bearer `key` (POSTRIDER_KEY, where other users of the machine cannot read it)")
	flags.StringVar(&r.tenant, "tenant", "", "name or id of the `tenant`, for an operator's key (default: the tenant \"default\")")
	flags.BoolVar(&r.json, "json", false, "print what the REST interface answers")
	return r
}

// client makes the client that the flags and variables name.
func (r *remote) client() (*client.Client, error) {
	if r.url == "" {
		r.url = r.t.variable("POSTRIDER_URL")
	}
	if r.url == "" {
		r.url = defaultURL
	}
	if r.key == "" {
		r.key = r.t.variable("POSTRIDER_KEY")
	}
	if r.key == "" {
		return nil, badUsagef("no key is given; name it with --key or in POSTRIDER_KEY")
	}
	c, err := client.New(r.url, r.key, client.WithTenant(r.tenant), client.WithRetries(3, maxRetryWait))
	if err != nil {
		return nil, badUsagef("%s", strings.TrimPrefix(err.Error(), "client: "))
	}
	return c, nil
}

// show prints v as JSON when that is asked for, else as print does.
func (r *remote) show(v any, print func()) error {
	if r.json {
		return printJSON(r.t.Out, v)
	}
	print()
	return nil
}

// more tells how to get the next page of a list.
func (r *remote) more(next *string) {
	if next != nil && !r.json {
		fmt.Fprintf(r.t.Err, "There is more: add --cursor %s\n", *next)
	}
}

// page are the flags of lists.
type page struct {
	limit  int
	cursor string
}

func (p *page) register(c *cobra.Command) {
	c.Flags().IntVar(&p.limit, "limit", 50, "list at most this `number`, 1 to 500")
	c.Flags().StringVar(&p.cursor, "cursor", "", "go on from the `text` that the list before ended with")
}

func (p *page) page() client.Page { return client.Page{Limit: p.limit, Cursor: p.cursor} }
