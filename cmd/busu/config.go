package main

import (
	"fmt"
	"os"
	"time"

	"github.com/busuhq/busu/internal/config"
)

type configCommands struct {
	Check checkCommand `cmd:"" help:"Check the configuration; name every mistake."`
	Print printCommand `cmd:"" help:"Print the configuration in force, without secrets."`
}

type checkCommand struct{}

func (checkCommand) Help() string {
	return `Reads the environment and the file that BUSU_CONFIG names, and names every
mistake with its line. Nothing is started.

Example:

  BUSU_CONFIG=busu.yaml busu config check`
}

func (checkCommand) Run() error {
	cfg, err := config.FromEnvironment(config.All)
	if err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintln(os.Stderr, "warning:", w)
	}
	fmt.Println("the configuration is valid")
	if cfg.TLS.On() {
		fmt.Printf("the certificate is good for %.1f more days\n", time.Until(cfg.TLS.Expires).Hours()/24)
	}
	return nil
}

type printCommand struct{}

func (printCommand) Help() string {
	return `The output is a busu.yaml that loads to the same settings; secrets show as
[set].

Example:

  busu config print > busu.yaml`
}

func (printCommand) Run() error {
	cfg, err := config.FromEnvironment(config.All)
	if err != nil {
		return err
	}
	return cfg.Print(os.Stdout)
}
