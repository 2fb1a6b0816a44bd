package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/contract"
)

func newContract(t *Terminal) *cobra.Command {
	return group(&cobra.Command{
		Use:   "contract",
		Short: "Look at contracts, check one of your own, see the exact requests it makes",
		Example: `  postrider contract list
  postrider contract show xemelgo
  postrider contract check my-contract.yaml
  postrider contract preview my-contract.yaml --event event.json`,
	}, newContractList(t), newContractShow(t), newContractCheck(t), newContractPreview(t))
}

func newContractList(t *Terminal) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the built-in contracts",
		Example: "  postrider contract list",
		Args:    arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return printJSON(t.Out, contractList())
			}
			list := newTable(t.Out, "NAME", "SIGNATURE", "TIME LIMIT", "ATTEMPTS", "DISPATCH", "SUMMARY")
			for _, c := range contract.Builtin() {
				list.row(c.Name(), signatures(c), c.Timeout().String(), fmt.Sprint(c.MaxAttempts()), rhythm(c), c.Document().Summary)
			}
			return list.flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print what the REST interface answers")
	return c
}

// contractList is the answer of GET /v1/contracts for the built-in ones.
func contractList() api.List[api.Contract] {
	var list api.List[api.Contract]
	for _, c := range contract.Builtin() {
		source := "generated"
		if c.SecretSuppliedByTenant() {
			source = "tenant"
		}
		list.Data = append(list.Data, api.Contract{
			Name: c.Name(), TimeoutMS: c.Timeout().Milliseconds(), MaxAttempts: c.MaxAttempts(), SecretSource: source,
		})
	}
	return list
}

func signatures(c *contract.Contract) string {
	var headers []string
	for _, s := range c.Schemes() {
		headers = append(headers, s.Header)
	}
	if len(headers) == 0 {
		return "none"
	}
	return strings.Join(headers, ", ")
}

func rhythm(c *contract.Contract) string {
	d := c.Document().Dispatch
	if d.Production == d.Sandbox {
		return every(d.Production)
	}
	return every(d.Production) + ", sandbox " + every(d.Sandbox)
}

func every(d time.Duration) string {
	if d == 0 {
		return "at once"
	}
	return "every " + span(d)
}

func newContractShow(t *Terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME|FILE",
		Short:   "Print the document of a contract",
		Example: "  postrider contract show xemelgo >my-contract.yaml",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := findContract(args[0])
			if err != nil {
				return err
			}
			_, err = t.Out.Write(c.Source())
			return err
		},
	}
}

func newContractCheck(t *Terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "check FILE",
		Short:   "Tell everything that is wrong with a contract's document",
		Example: "  postrider contract check my-contract.yaml",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := readContract(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(t.Out, "%s: contract %q is good: %s, time limit %s, dispatch %s.\n",
				args[0], c.Name(), plural(c.MaxAttempts(), "attempt"), c.Timeout(), rhythm(c))
			return err
		},
	}
}

// findContract gives a built-in contract by name, or one of a file.
func findContract(name string) (*contract.Contract, error) {
	set, err := contract.NewSet(contract.Builtin()...)
	if err != nil {
		return nil, err
	}
	if c, found := set.Find(name); found {
		return c, nil
	}
	if _, err := os.Stat(name); err != nil {
		return nil, postrider.Errorf(postrider.CodeNotFound, "there is no built-in contract and no file %q; built in are %s", name, strings.Join(set.Names(), ", "))
	}
	return readContract(name)
}

// maxFile bounds what a command reads of a file that should be small, in bytes.
const maxFile = 16 << 20

func readContract(path string) (*contract.Contract, error) {
	source, err := readFile(path)
	if err != nil {
		return nil, err
	}
	c, err := contract.Parse(source)
	if faults, ok := errors.AsType[*contract.Faults](err); ok {
		lines := strings.Split(strings.TrimSpace(faults.Error()), "\n")
		return nil, postrider.Errorf(postrider.CodeInvalid, "%s has %s:\n  %s", path, plural(len(lines), "fault"), strings.Join(lines, "\n  "))
	}
	return c, err
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, postrider.Errorf(postrider.CodeInvalid, "cannot read %s: %w", path, errors.Unwrap(err))
	}
	defer file.Close()
	return readBounded(file, path)
}

func readBounded(r io.Reader, name string) ([]byte, error) {
	source, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, postrider.Errorf(postrider.CodeInvalid, "cannot read %s: %w", name, err)
	}
	if len(source) > maxFile {
		return nil, postrider.Errorf(postrider.CodeTooLarge, "%s is over %d MiB", name, maxFile>>20)
	}
	return source, nil
}
