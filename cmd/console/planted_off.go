//go:build !crashtest

package main

import (
	"correction-console/internal/correction"
	"correction-console/internal/store/sqlite"
)

// plant and shared do something only for the tests of internal/crashtest.
func plant(*correction.Service, *sqlite.Store) error { return nil }

func shared() bool { return false }

// testVariables are those of the environment that only tests set.
var testVariables []string

// trace is told of each step of a correction; nil: nobody is.
var trace func(step string)
