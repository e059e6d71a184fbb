package auth

import (
	"context"
	"testing"
)

// CheapParams make a hash that costs next to nothing.
var CheapParams = Params{MemoryKiB: 64, Passes: 1, Lanes: 1, SaltLen: 16, TagLen: 32}

// CheapHash hashes with CheapParams.
func CheapHash(t testing.TB, password string) string {
	t.Helper()
	h := NewHasher()
	h.params = CheapParams
	phc, err := h.Hash(context.Background(), password)
	if err != nil {
		t.Fatal(err)
	}
	return phc
}

// CheapHasher hashes with CheapParams.
func CheapHasher() *Hasher {
	h := NewHasher()
	h.params = CheapParams
	return h
}

// CostOf is the cost of a stored hash.
func CostOf(phc string) (Params, error) {
	h, err := parsePHC(phc)
	return h.params, err
}

// SetDummy replaces what is verified for who does not exist, which takes its time.
func (a *Authenticator) SetDummy(phc string) { a.dummy = phc }
