//go:build !crashtest

package main

import (
	"correction-console/internal/correction"
	"correction-console/internal/store"
)

// plant and shared do something only for the tests of internal/crashtest.
func plant(*correction.Service, *store.Store) error { return nil }

func shared() bool { return false }

// testVariables are those of the environment that only tests set.
var testVariables []string
