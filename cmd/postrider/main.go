// Command postrider is a webhook gateway. Package internal/cli holds all of it; `postrider --help`
// is where to begin.
package main

import (
	"os"

	"github.com/postrider/postrider/internal/cli"
)

func main() { os.Exit(cli.Main()) }
