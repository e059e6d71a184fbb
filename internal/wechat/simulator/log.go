package simulator

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"time"

	"correction-console/internal/correction"
)

// Post is one modify request that arrived, and what became of it.
type Post struct {
	Order     string
	Host      string // as the request named it
	Nonce     string // of the Authorization header, verified or not
	SHA256    [32]byte
	Total     correction.Fen // that the body asks for; 0 when it cannot be read
	At        time.Time
	Verified  bool
	Applied   bool
	AppliedAt time.Time
	Fault     Kind // that was played; empty = none
}

var nonceField = regexp.MustCompile(`nonce_str="([^"]*)"`)

// arrived is the log's entry for a request that has just been read.
func (s *Server) arrived(r *http.Request, q request) Post {
	p := Post{Order: q.no, Host: q.host, SHA256: sha256.Sum256(q.body), At: s.clock()}
	if m := nonceField.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		p.Nonce = m[1]
	}
	var b struct {
		Total correction.Fen `json:"total_amount"`
	}
	if json.Unmarshal(q.body, &b) == nil {
		p.Total = b.Total
	}
	return p
}

// note changes the log's entry of a modify call.
func (s *Server) note(q request, f func(*Post)) {
	if q.call != CallModify {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.log[q.post])
}

// PostLog lists every modify request that arrived, in the sequence of arrival.
func (s *Server) PostLog() []Post {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}
