package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/postrider/postrider/api"
)

func newUser(t *Terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "user",
		Short: "Manage the people who log in by name and password",
		Example: `  postrider user create ada@example.com --role admin < password.txt
  postrider user list
  postrider user update usr_01h455vb4pex5vsknk084sn02q --disable
  postrider user delete usr_01h455vb4pex5vsknk084sn02q`,
	}
	r := newRemote(t, c)
	return group(c, newUserList(r), newUserCreate(r), newUserUpdate(r), newUserDelete(r))
}

func newUserList(r *remote) *cobra.Command {
	var p page
	var operators bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List a tenant's users",
		Example: "  postrider user list --tenant acme",
		Args:    arguments(cobra.NoArgs),
	}
	p.register(c)
	c.Flags().BoolVar(&operators, "operators", false, "list the operators, who belong to no tenant")
	c.RunE = func(c *cobra.Command, _ []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		list, err := server.Users(c.Context(), operators, p.page())
		if err != nil {
			return err
		}
		defer r.more(list.Next)
		return r.show(list, func() {
			now := time.Now()
			rows := newTable(r.t.Out, "ID", "EMAIL", "ROLE", "STATUS", "CREATED")
			for _, user := range list.Data {
				rows.row(user.ID, oneLine(user.Email), user.Role, userStatus(user), relative(user.CreatedAt, now))
			}
			_ = rows.flush()
		})
	}
	return c
}

func newUserCreate(r *remote) *cobra.Command {
	var in api.UserCreate
	c := &cobra.Command{
		Use:   "create EMAIL",
		Short: "Make a user; the password is asked for, or read from standard input",
		Long: `Make a user who logs in by EMAIL, which need not be an address, and a password of at least 8
characters with a digit. The password is asked for, or read from standard input: it is no flag, since
a command line can be read by every user of the machine.`,
		Example: `  postrider user create ada@example.com --role admin
  postrider user create --tenant acme bot-7 --role publisher < password.txt`,
		Args: arguments(cobra.ExactArgs(1)),
	}
	c.Flags().StringVar(&in.Role, "role", "", "`role`, what it may do: admin, publisher, viewer or operator")
	c.RunE = func(c *cobra.Command, args []string) error {
		if in.Role == "" {
			return badUsagef("no role is named; use --role admin, publisher, viewer or operator")
		}
		in.Email = args[0]
		server, err := r.client()
		if err != nil {
			return err
		}
		if in.Password, err = askPassword(r.t); err != nil {
			return err
		}
		user, err := server.CreateUser(c.Context(), in)
		if err != nil {
			return err
		}
		return r.show(user, func() { showUser(r.t.Out, user) })
	}
	return c
}

func newUserUpdate(r *remote) *cobra.Command {
	var role string
	var password, disable, enable bool
	c := &cobra.Command{
		Use:   "update ID",
		Short: "Change a user's password or role, or whether it may log in",
		Example: `  postrider user update usr_01h455vb4pex5vsknk084sn02q --role viewer
  postrider user update usr_01h455vb4pex5vsknk084sn02q --password < password.txt
  postrider user update usr_01h455vb4pex5vsknk084sn02q --disable`,
		Args: arguments(cobra.ExactArgs(1)),
	}
	c.Flags().StringVar(&role, "role", "", "another `role`: admin, publisher or viewer")
	c.Flags().BoolVar(&password, "password", false, "ask for another password, or read it from standard input")
	c.Flags().BoolVar(&disable, "disable", false, "let it not log in any more, and refuse its tokens")
	c.Flags().BoolVar(&enable, "enable", false, "let it log in again")
	c.RunE = func(c *cobra.Command, args []string) error {
		if role == "" && !password && !disable && !enable {
			return badUsagef("nothing to change is named; use --role, --password, --disable or --enable")
		}
		if disable && enable {
			return badUsagef("--disable and --enable exclude each other; use one")
		}
		var in api.UserUpdate
		if role != "" {
			in.Role = &role
		}
		if disable || enable {
			in.Disabled = &disable
		}
		server, err := r.client()
		if err != nil {
			return err
		}
		if password {
			text, err := askPassword(r.t)
			if err != nil {
				return err
			}
			in.Password = &text
		}
		user, err := server.UpdateUser(c.Context(), args[0], in)
		if err != nil {
			return err
		}
		return r.show(user, func() { showUser(r.t.Out, user) })
	}
	return c
}

func newUserDelete(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:     "delete ID",
		Short:   "Delete a user; its tokens are refused at once",
		Example: "  postrider user delete usr_01h455vb4pex5vsknk084sn02q",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := r.client()
			if err != nil {
				return err
			}
			if err := server.DeleteUser(c.Context(), args[0]); err != nil {
				return err
			}
			if !r.json {
				fmt.Fprintf(r.t.Out, "%s is deleted.\n", args[0])
			}
			return nil
		},
	}
}

func showUser(out io.Writer, user *api.User) {
	f := newFacts(out)
	f.add("id", user.ID)
	f.add("email", oneLine(user.Email))
	f.add("role", user.Role)
	f.add("status", userStatus(*user))
	_ = f.flush()
}

func userStatus(user api.User) string {
	if user.Disabled {
		return "disabled"
	}
	return "enabled"
}

// maxPasswordInput bounds what is read as a password; the server takes less.
const maxPasswordInput = 4096

// askPassword asks for a password where somebody can be asked, and reads it from standard input
// otherwise, less the end of its line.
func askPassword(t *Terminal) (string, error) {
	if file, ok := t.In.(interface{ Fd() uintptr }); ok && term.IsTerminal(int(file.Fd())) {
		fmt.Fprint(t.Err, "Password: ")
		text, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(t.Err)
		return string(text), err
	}
	text, err := io.ReadAll(io.LimitReader(t.In, maxPasswordInput))
	if err != nil {
		return "", fmt.Errorf("the password could not be read from standard input: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return "", badUsagef("no password came on standard input; write it there, or run the command in a terminal")
	}
	return line, nil
}
