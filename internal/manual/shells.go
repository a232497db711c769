package manual

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// shells are those that Completion knows.
var shells = map[string]func(name string, all []place) string{"bash": bash, "zsh": zsh, "fish": fish}

// Completion is a script for a shell, bash, zsh or fish, that completes the
// commands of an application, their flags and the values of those that take
// one of a few. Elsewhere it leaves it to the shell, which completes files.
func Completion(shell string, app *kong.Application) (string, error) {
	write, known := shells[shell]
	if !known {
		return "", fmt.Errorf("no completions for %q: there are those for %s", shell, strings.Join(slices.Sorted(maps.Keys(shells)), ", "))
	}
	return write(app.Name, places(app.Node)), nil
}

// walkTo is the loop that bash and zsh share: the place at which a line has
// arrived, in $at. A value of a flag is no step.
const walkTo = `    if [[ -n $skip ]]; then skip=; continue; fi
    case "$at $word" in
%s    esac
    case "$at $word" in
%s    esac
`

// steps are the lines of walkTo: the places, and the flags whose value is the
// next word.
func steps(all []place) (places, takes string) {
	for _, p := range all[1:] {
		places += fmt.Sprintf("    %s) at=%s ;;\n", quoted(p.path), quoted(p.path))
	}
	for _, p := range all {
		for _, flag := range p.takes {
			takes += fmt.Sprintf("    %s) skip=1 ;;\n", quoted(p.path+" "+flag))
		}
	}
	return places, takes
}

func bash(name string, all []place) string {
	var s strings.Builder
	places, takes := steps(all)
	fmt.Fprintf(&s, "# bash completion for %[1]s: source it, or put it into /etc/bash_completion.d.\n_%[1]s() {\n", name)
	fmt.Fprintf(&s, "  local at=%s word skip= offered= current=${COMP_WORDS[COMP_CWORD]}\n", quoted(name))
	s.WriteString("  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n")
	fmt.Fprintf(&s, walkTo, places, takes)
	s.WriteString("  done\n  case \"$at ${COMP_WORDS[COMP_CWORD-1]}\" in\n")
	for _, p := range all {
		for _, flag := range slices.Sorted(maps.Keys(p.values)) {
			fmt.Fprintf(&s, "  %s) offered=%s ;;\n", quoted(p.path+" "+flag), quoted(strings.Join(texts(p.values[flag]), " ")))
		}
	}
	s.WriteString("  esac\n  if [[ -z $offered && -z $skip ]]; then\n    case \"$at:$current\" in\n")
	for _, p := range all {
		fmt.Fprintf(&s, "    %s:-*) offered=%s ;;\n", quoted(p.path), quoted(strings.Join(texts(p.flags), " ")))
		if len(p.commands) > 0 {
			fmt.Fprintf(&s, "    %s:*) offered=%s ;;\n", quoted(p.path), quoted(strings.Join(texts(p.commands), " ")))
		}
	}
	fmt.Fprintf(&s, "    esac\n  fi\n  COMPREPLY=($(compgen -W \"$offered\" -- \"$current\"))\n}\ncomplete -o bashdefault -o default -F _%[1]s %[1]s\n", name)
	return s.String()
}

func zsh(name string, all []place) string {
	var s strings.Builder
	places, takes := steps(all)
	fmt.Fprintf(&s, "#compdef %[1]s\n# zsh completion for %[1]s: put it as _%[1]s into a directory of $fpath, or source it after compinit.\n_%[1]s() {\n", name)
	fmt.Fprintf(&s, "  local at=%s word skip=\n  local -a commands flags values\n  for word in \"${(@)words[2,CURRENT-1]}\"; do\n", quoted(name))
	fmt.Fprintf(&s, walkTo, places, takes)
	s.WriteString("  done\n  case \"$at ${words[CURRENT-1]}\" in\n")
	for _, p := range all {
		for _, flag := range slices.Sorted(maps.Keys(p.values)) {
			fmt.Fprintf(&s, "  %s) values=(%s) ;;\n", quoted(p.path+" "+flag), described(p.values[flag]))
		}
	}
	s.WriteString("  esac\n  case $at in\n")
	for _, p := range all {
		fmt.Fprintf(&s, "  %s) commands=(%s) flags=(%s) ;;\n", quoted(p.path), described(p.commands), described(p.flags))
	}
	s.WriteString(`  esac
  if (( $#values )); then
    _describe -t values value values
  elif [[ -n $skip ]]; then
    _files
  elif [[ $PREFIX == -* ]]; then
    _describe -o -t flags flag flags
  elif (( $#commands )); then
    _describe -t commands command commands
  else
    _files
  fi
}
`)
	fmt.Fprintf(&s, "if [[ $funcstack[1] == _%[1]s ]]; then _%[1]s \"$@\"; else compdef _%[1]s %[1]s; fi\n", name)
	return s.String()
}

// described are words as zsh's _describe takes them.
func described(words []word) string {
	var all []string
	for _, w := range words {
		text := strings.ReplaceAll(w.text, ":", `\:`)
		if w.help != "" {
			text += ":" + w.help
		}
		all = append(all, quoted(text))
	}
	return strings.Join(all, " ")
}

func fish(name string, all []place) string {
	var s strings.Builder
	fmt.Fprintf(&s, "# fish completion for %[1]s: put it as %[1]s.fish into ~/.config/fish/completions.\nfunction __%[1]s_at\n", name)
	fmt.Fprintf(&s, "    set -l at %s\n    set -l skip\n    for word in (commandline -opc)[2..]\n", fishQuoted(name))
	s.WriteString("        if set -q skip[1]\n            set -e skip[1]\n            continue\n        end\n        switch \"$at $word\"\n")
	for _, p := range all[1:] {
		fmt.Fprintf(&s, "            case %[1]s\n                set at %[1]s\n", fishQuoted(p.path))
	}
	for _, p := range all {
		for _, flag := range p.takes {
			fmt.Fprintf(&s, "            case %s\n                set skip 1\n", fishQuoted(p.path+" "+flag))
		}
	}
	s.WriteString("        end\n    end\n    test \"$at\" = \"$argv[1]\"\nend\n")
	for _, p := range all {
		at := fishQuoted("__" + name + "_at " + fishQuoted(p.path))
		for _, c := range p.commands {
			fmt.Fprintf(&s, "complete -c %s -f -n %s -a %s -d %s\n", name, at, fishQuoted(c.text), fishQuoted(c.help))
		}
		for _, f := range p.flags {
			kind, text := "-s", strings.TrimPrefix(f.text, "-")
			if long, ok := strings.CutPrefix(f.text, "--"); ok {
				kind, text = "-l", long
			}
			fmt.Fprintf(&s, "complete -c %s -n %s %s %s", name, at, kind, text)
			if values := p.values[f.text]; len(values) > 0 {
				fmt.Fprintf(&s, " -x -a %s", fishQuoted(strings.Join(texts(values), " ")))
			} else if slices.Contains(p.takes, f.text) {
				s.WriteString(" -r")
			}
			fmt.Fprintf(&s, " -d %s\n", fishQuoted(f.help))
		}
	}
	return s.String()
}

// fishQuoted is a word of fish, which escapes within single quotes.
func fishQuoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
