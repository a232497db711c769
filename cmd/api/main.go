// Command api answers prompts over HTTP. Its stores come from the environment;
// busu up runs it together with the others on stores of its own.
package main

import (
	"os"

	"github.com/busuhq/busu/internal/app"
	"github.com/busuhq/busu/internal/config"
)

func main() { os.Exit(app.Main(config.API, os.Args[1:])) }
