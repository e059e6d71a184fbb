package proctest

import (
	"context"
	"io"
)

// Silent is a body that sends what it has, and then nothing more until its context ends.
type Silent struct {
	io.Reader
	Context context.Context
}

func (s Silent) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err == io.EOF {
		<-s.Context.Done()
		return 0, s.Context.Err()
	}
	return n, err
}

// Close does nothing.
func (Silent) Close() error { return nil }
