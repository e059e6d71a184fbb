package correction

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// Signing is the time and the nonce that a request is signed with. They are chosen
// and recorded before it is sent.
type Signing struct {
	At    time.Time // whole seconds
	Nonce string
}

// NewSigning picks the time and a nonce of 32 characters for a request.
func NewSigning(now time.Time) Signing {
	b := make([]byte, 16)
	rand.Read(b)
	return Signing{At: now.Truncate(time.Second), Nonce: hex.EncodeToString(b)}
}

// Reading is a verified answer to a query.
type Reading struct {
	Order     Order
	At        time.Time
	RequestID string
	// Skew is how far WeChat's signed time was ahead of this machine's (negative:
	// behind), beyond what the length of the call and whole seconds explain.
	Skew time.Duration
	Host string // that answered; empty for the main one
}

// Answer is WeChat's answer to a modify call, sorted into a class.
type Answer struct {
	Class    Class
	Cause    string
	Alarm    string
	Obstacle Obstacle // Charging or Deposit when the words say so
	Remote   Remote
	Took     time.Duration
	Host     string // that was asked; empty for the main one
}
