package auth

import (
	"sync"
	"time"
)

// strangers knows what came lately of the networks that people sign in from, other than
// in browsers that are known. Nobody is refused for what it knows: it says who is
// checked first. A network that fails too often stands behind all others, and failures
// from there are answered with a wait; who is right is let in from there as well, for
// nobody can tell them from the others before. The bound on guesses is that of each
// account. It lives in memory, so that a flood costs no writes. Safe for concurrent use.
type strangers struct {
	mu       sync.Mutex
	networks map[string]*standing
	failures []time.Time // of all networks, within limitWindow
	recorded []time.Time // failures on the audit record, within limitWindow
	omitted  int         // failures that are not
}

// standing is what is known of one network.
type standing struct {
	failures []time.Time         // within limitWindow
	people   map[int64]time.Time // who signed in from there, within familiarFor
}

const (
	// familiarFor is for how long who signed in from a network speaks for it.
	familiarFor = 30 * 24 * time.Hour
	// mostPeople bounds that: each of so many people makes up for one failure.
	mostPeople = 20
	// maxNetworks is how many networks are kept before those that say nothing go.
	maxNetworks = 4096
	// recentSessions is how many sessions a new process reads to know its networks.
	recentSessions = 5000
)

func newStrangers() *strangers { return &strangers{networks: make(map[string]*standing)} }

// rank is the place of a try from the network in the queue.
func (s *strangers) rank(network string, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.networks[network]
	if n == nil {
		return 0
	}
	score := len(n.failuresAt(now)) - n.credit()
	if s.slow(n, now) > 0 {
		return rankSlow + score
	}
	return min(score, rankSlow-1)
}

// slow is how long the network has too many failures; 0 when it does not. The caller
// holds mu.
func (s *strangers) slow(n *standing, now time.Time) time.Duration {
	most := failuresEach
	if s.failures = within(s.failures, now); len(s.failures) >= failuresAll {
		most = failuresFew
	}
	most += n.credit()
	failures := n.failuresAt(now)
	if len(failures) < most {
		return 0
	}
	return failures[len(failures)-most].Add(limitWindow).Sub(now)
}

// failed counts a failure of the network. The answer is how long to ask for patience; 0
// when there were not too many before.
func (s *strangers) failed(network string, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.network(network, now)
	wait := s.slow(n, now)
	n.failures = append(n.failures, now)
	s.failures = append(s.failures, now)
	return wait
}

// signedIn makes the person speak for the network.
func (s *strangers) signedIn(network string, userID int64, at, now time.Time) {
	if now.Sub(at) >= familiarFor {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.network(network, now)
	if n.people == nil {
		n.people = make(map[int64]time.Time)
	}
	if _, there := n.people[userID]; (there || len(n.people) < mostPeople) && n.people[userID].Before(at) {
		n.people[userID] = at
	}
}

// onRecord says whether another failure is written to the audit record, and how many
// were not since the last one: a flood must not fill the disk.
func (s *strangers) onRecord(now time.Time) (record bool, omitted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recorded = within(s.recorded, now); len(s.recorded) >= failuresAll {
		s.omitted++
		return false, 0
	}
	s.recorded = append(s.recorded, now)
	omitted, s.omitted = s.omitted, 0
	return true, omitted
}

// network finds what is known of a network, or begins to know it. The caller holds mu.
func (s *strangers) network(name string, now time.Time) *standing {
	n := s.networks[name]
	if n != nil {
		return n
	}
	if len(s.networks) >= maxNetworks {
		for k, old := range s.networks {
			if len(old.failuresAt(now)) == 0 && old.over(now) {
				delete(s.networks, k)
			}
		}
	}
	n = &standing{}
	s.networks[name] = n
	return n
}

func (n *standing) failuresAt(now time.Time) []time.Time {
	n.failures = within(n.failures, now)
	return n.failures
}

// over forgets people whose time is over, and reports whether none is left.
func (n *standing) over(now time.Time) bool {
	for id, at := range n.people {
		if now.Sub(at) >= familiarFor {
			delete(n.people, id)
		}
	}
	return len(n.people) == 0
}

func (n *standing) credit() int { return len(n.people) }

// within drops what is over, and what a clock that was set back left in the future.
func within(hits []time.Time, now time.Time) []time.Time {
	kept := hits[:0]
	for _, at := range hits {
		if age := now.Sub(at); age < limitWindow && age > -limitWindow {
			kept = append(kept, at)
		}
	}
	return kept
}
