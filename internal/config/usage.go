package config

import (
	"errors"
	"slices"
	"strings"
)

// UsageError is a fault of the command line or of the settings, which whoever typed them
// has to mend: exit code 2.
type UsageError struct{ err error }

// Usage makes an error a UsageError.
func Usage(err error) error { return UsageError{err} }

// Error is the text of the error.
func (e UsageError) Error() string { return e.err.Error() }

// Unwrap is the error itself.
func (e UsageError) Unwrap() error { return e.err }

// Problems is the UsageError that tells every problem of the settings, a line each.
func Problems(problems []Problem) error {
	var all []string
	for _, p := range problems {
		if line := p.String(); !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return Usage(errors.New(strings.Join(all, "\n")))
}

// Names reports whether one of the problems is of a setting.
func Names(problems []Problem, setting string) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Setting == setting })
}
