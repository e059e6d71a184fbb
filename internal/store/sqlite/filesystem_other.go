//go:build !linux

package sqlite

// networkFileSystem knows nothing here: the console is run on Linux.
func networkFileSystem(string) (string, error) { return "", nil }
