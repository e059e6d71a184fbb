package correction

import "errors"

// Errors of reading. Nothing was changed, and asking again later may work.
var (
	// ErrCrowded: as many read, and wait to, as there may be.
	ErrCrowded = errors.New("too much is being read at present")
	// ErrSlow: reading took longer than it may.
	ErrSlow = errors.New("reading took too long")
)
