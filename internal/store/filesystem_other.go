//go:build !linux

package store

// networkFileSystem knows nothing here: the console is run on Linux.
func networkFileSystem(string) (string, error) { return "", nil }
