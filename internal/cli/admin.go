package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/api"
)

func newTenant(t *Terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "tenant",
		Short: "Manage tenants, the owners of endpoints, keys and events",
		Example: `  postrider tenant create acme
  postrider tenant list`,
	}
	r := newRemote(t, c)
	return group(c, newTenantList(r), newTenantCreate(r))
}

func newTenantList(r *remote) *cobra.Command {
	var p page
	c := &cobra.Command{
		Use:     "list",
		Short:   "List tenants: all of them with an operator's key, else the key's own",
		Example: "  postrider tenant list",
		Args:    arguments(cobra.NoArgs),
	}
	p.register(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		list, err := server.Tenants(c.Context(), p.page())
		if err != nil {
			return err
		}
		defer r.more(list.Next)
		return r.show(list, func() {
			now := time.Now()
			rows := newTable(r.t.Out, "ID", "NAME", "CREATED")
			for _, tenant := range list.Data {
				rows.row(tenant.ID, tenant.Name, moment(tenant.CreatedAt, now))
			}
			_ = rows.flush()
		})
	}
	return c
}

func newTenantCreate(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:     "create NAME",
		Short:   "Make a tenant; it needs an operator's key",
		Example: "  postrider tenant create acme",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := r.client()
			if err != nil {
				return err
			}
			tenant, err := server.CreateTenant(c.Context(), args[0])
			if err != nil {
				return err
			}
			return r.show(tenant, func() {
				f := newFacts(r.t.Out)
				f.add("id", tenant.ID)
				f.add("name", tenant.Name)
				_ = f.flush()
			})
		},
	}
}

func newKey(t *Terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "Manage the bearer keys of tenants",
		Example: `  postrider key create --role publisher --name 'orders service'
  postrider key list
  postrider key revoke key_01h455vb4pex5vsknk084sn02q`,
	}
	r := newRemote(t, c)
	return group(c, newKeyList(r), newKeyCreate(r), newKeyRevoke(r))
}

func newKeyList(r *remote) *cobra.Command {
	var role string
	c := &cobra.Command{
		Use:     "list",
		Short:   "List keys, without their texts",
		Example: "  postrider key list --role operator",
		Args:    arguments(cobra.NoArgs),
	}
	c.Flags().StringVar(&role, "role", "", "only those of this `role`; operator lists the operator's own")
	c.RunE = func(c *cobra.Command, _ []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		list, err := server.Keys(c.Context(), role)
		if err != nil {
			return err
		}
		return r.show(list, func() {
			now := time.Now()
			rows := newTable(r.t.Out, "ID", "ROLE", "ENVIRONMENT", "NAME", "CREATED", "ENDS")
			for _, key := range list.Data {
				rows.row(key.ID, key.Role, key.Environment, key.Name, relative(key.CreatedAt, now), ends(key, now))
			}
			_ = rows.flush()
		})
	}
	return c
}

func ends(key api.Key, now time.Time) string {
	if key.ExpiresAt == nil {
		return "never"
	}
	return relative(*key.ExpiresAt, now)
}

func newKeyCreate(r *remote) *cobra.Command {
	var in api.KeyCreate
	var expires string
	c := &cobra.Command{
		Use:   "create",
		Short: "Make a key; its text is shown once",
		Example: `  postrider key create --role publisher --name 'orders service'
  postrider key create --tenant acme --role admin --environment sandbox`,
		Args: arguments(cobra.NoArgs),
	}
	c.Flags().StringVar(&in.Role, "role", "", "`role`, what it may do: admin, publisher, viewer or operator")
	c.Flags().StringVar(&in.Name, "name", "", "`text` as a note for people")
	c.Flags().StringVar(&in.Environment, "environment", "", "`environment`, production or sandbox (default: the calling key's)")
	c.Flags().StringVar(&expires, "expires", "", "`time` when it ends, RFC 3339 (default: never)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if in.Role == "" {
			return badUsagef("no role is named; use --role admin, publisher, viewer or operator")
		}
		if expires != "" {
			at, err := time.Parse(time.RFC3339, expires)
			if err != nil {
				return badUsagef("--expires: %q is not a time of RFC 3339, such as 2027-01-31T00:00:00Z", expires)
			}
			in.ExpiresAt = &at
		}
		server, err := r.client()
		if err != nil {
			return err
		}
		key, err := server.CreateKey(c.Context(), in)
		if err != nil {
			return err
		}
		return r.show(key, func() {
			fmt.Fprintf(r.t.Out, "%s, role %s, %s. The key, shown only this once:\n\n    %s\n", key.ID, key.Role, key.Environment, oneLine(key.Key))
		})
	}
	return c
}

func newKeyRevoke(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke ID",
		Short:   "End a key at once",
		Example: "  postrider key revoke key_01h455vb4pex5vsknk084sn02q",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := r.client()
			if err != nil {
				return err
			}
			if err := server.RevokeKey(c.Context(), args[0]); err != nil {
				return err
			}
			if !r.json {
				fmt.Fprintf(r.t.Out, "%s is revoked.\n", args[0])
			}
			return nil
		},
	}
}
