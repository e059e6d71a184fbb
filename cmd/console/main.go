// Console is the correction console: see README.md.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	_ "time/tzdata" // the zone of the settings works on machines without a zone database

	"correction-console/internal/config"
	"correction-console/internal/console"
)

// version is set when the binary is built.
var version = "dev"

// exitRestart is the exit code that asks to be started again.
const exitRestart = 75

func main() { os.Exit(run(os.Args[1:])) }

// run carries out one command and returns the exit code: 0, 2 for what was asked
// wrongly or configured wrongly, 1 for everything else.
func run(args []string) int {
	var c commands
	parser := newParser(&c)
	ctx, err := parser.Parse(args)
	command := ""
	if err == nil {
		command = ctx.Command()
	}
	warnUnknown(command, unknownVariables(variables(parser.Model)))
	if err == nil {
		err = ctx.Run()
	} else {
		err = config.Usage(err)
	}
	if err == nil {
		return 0
	}
	for _, line := range strings.Split(strings.TrimSpace(err.Error()), "\n") {
		fmt.Fprintln(os.Stderr, "console: "+line)
	}
	var usage config.UsageError
	switch {
	case errors.As(err, &usage):
		return 2
	case errors.Is(err, console.ErrRestart):
		return exitRestart
	}
	return 1
}
