// Package archtest holds tests of the whole source tree: which package may import
// which, and constructs that are not used here. It reads sources only; each rule has a
// test of its own that shows it can fail.
package archtest
