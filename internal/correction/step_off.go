//go:build !crashtest

package correction

// step marks a place of trust.md §1.4 at which the tests of internal/crashtest end the
// program. In what is shipped it is nothing.
func step(string) {}
