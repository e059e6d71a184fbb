package handlers

import (
	"fmt"
	"sync"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
)

// shares counts the requests of each person that go through much of the record. The zero
// value has none.
type shares struct {
	mu sync.Mutex
	of map[int64]int
}

// heavyShare is how many of them one person may have under way: not all that may wait.
const heavyShare = 8

// errShare is of a person who asks for too much at a time.
var errShare = fmt.Errorf("this person has as many requests under way as may: %w", correction.ErrCrowded)

// heavy bounds what one person has under way of a page that goes through much of the
// record. The store bounds what all of them have.
func heavy(handle func(*server, echo.Context) error) func(*server, echo.Context) error {
	return func(s *server, c echo.Context) error {
		id := actor(c).UserID
		if !s.shares.enter(id) {
			return errShare
		}
		defer s.shares.leave(id)
		return handle(s, c)
	}
}

func (s *shares) enter(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[id] >= heavyShare {
		return false
	}
	if s.of == nil {
		s.of = map[int64]int{}
	}
	s.of[id]++
	return true
}

func (s *shares) leave(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[id]--; s.of[id] <= 0 {
		delete(s.of, id)
	}
}
