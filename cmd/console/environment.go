package main

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// prefix is that of every variable of the environment that the console reads.
const prefix = "CONSOLE_"

// variables are the names that the command line takes from the environment, of all
// commands: a variable may be set for another one.
func variables(app *kong.Application) []string {
	names := slices.Clone(testVariables)
	_ = kong.Visit(app, func(node kong.Visitable, next kong.Next) error { // our own function does not fail
		if flag, ok := node.(*kong.Flag); ok {
			names = append(names, flag.Envs...)
		}
		return next(nil)
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// unknownVariables says which CONSOLE_… variables mean nothing, a sentence each, with
// the name that is nearest. A value is never told: it may be a secret.
func unknownVariables(known []string) []string {
	var out []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(strings.ToUpper(name), prefix) || slices.Contains(known, name) {
			continue
		}
		text := fmt.Sprintf("%q is no setting and is left out", name)
		if near := nearest(name, known); near != "" {
			text += "; did you mean " + near + "?"
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

// warnUnknown warns of them: in the log of a console that runs, else in lines beside the
// command's own. What machines run every few seconds is left alone.
func warnUnknown(command string, unknown []string) {
	switch command {
	case "healthcheck", "version":
		return
	case "serve", "demo":
		log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
		for _, text := range unknown {
			log.Warn("unknown variable of the environment: " + text)
		}
		return
	}
	for _, text := range unknown {
		fmt.Fprintln(os.Stderr, "console: warning: "+text)
	}
}

// nearest is the known name that a misspelt one was most likely meant to be; empty when
// none is close.
func nearest(name string, known []string) string {
	best, least := "", max(2, (len(name)-len(prefix))/3)+1
	for _, k := range known {
		if d := edits(strings.ToUpper(name), k); d < least {
			best, least = k, d
		}
	}
	return best
}

// edits counts the letters to add, remove, change or swap with the next one between two
// names.
func edits(a, b string) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
