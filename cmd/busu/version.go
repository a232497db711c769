package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/busuhq/busu/internal/release"
)

type versionCommand struct {
	JSON bool `help:"Print JSON." name:"json"`
}

func (versionCommand) Help() string {
	return `Prints the version, the commit that it was built of and the commit's date,
whether files had been changed since, and Go's version.

Example:

  busu version
  busu version --json | jq -r .commit`
}

func (c versionCommand) Run() error {
	build := release.Current()
	if !c.JSON {
		_, err := fmt.Println(build)
		return err
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(build)
}
