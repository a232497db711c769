package main

import (
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/busuhq/busu/internal/manual"
	"github.com/busuhq/busu/internal/release"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (completionCommand) Help() string {
	return `Prints a script with which the shell completes commands, flags and the values
of some.

Example:

  source <(busu completion bash)
  busu completion zsh > "${fpath[1]}/_busu"
  busu completion fish > ~/.config/fish/completions/busu.fish`
}

func (c completionCommand) Run(k *kong.Context) error {
	script, err := manual.Completion(c.Shell, k.Model)
	if err != nil {
		return err
	}
	_, err = fmt.Print(script)
	return err
}

type manCommand struct{}

func (manCommand) Help() string {
	return `Prints the manual of all commands as a page for man.

Example:

  busu man | man -l -
  busu man > /usr/local/share/man/man1/busu.1`
}

func (manCommand) Run(k *kong.Context) error {
	build := release.Current()
	day := build.Date
	if len(day) > len("2006-01-02") {
		day = day[:len("2006-01-02")]
	}
	_, err := fmt.Print(manual.Page(k.Model, "busu "+build.Version, day))
	return err
}
