package correction

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rules of looking orders up (product.md §6). One look-up is one order, however many
// merchants are asked about it. A person has so many in any minute; the pages that a
// look-up leads to are read without another one.
const (
	lookupWindow = time.Minute
	freeWithin   = time.Minute // after a look-up, for the order's page and its form
	freeReads    = 10          // of them; beyond, they count as look-ups
	// restPeople is how many people are remembered before those who rest are forgotten.
	restPeople = 1000
)

// A look-up without a merchant is a guess: it may take as many queries as there are
// merchants. All guesses together have this share of the queries, so that confirmations
// and the reconciler, which have no such bound, do not run into WeChat's.
const (
	guessRate    = 20 // queries a second
	guessBurst   = 40
	mostGuesses  = 4 // at the same time, one of them a person's
	guessesAside = 5 * time.Second
)

// Lookups counts what people look up. The zero value counts nothing. Safe for concurrent
// use: two windows of one person count together.
type Lookups struct {
	PerMinute int // a person; 0 = no limit

	mu     sync.Mutex
	people map[counted]*lookedUp

	once    sync.Once
	guesses *rate.Limiter
	places  chan struct{}
	asking  sync.Map // id of a person → chan struct{}: their one place
}

// counted is whose what is counted.
type counted struct {
	person int64
	what   countedAct
}

// countedAct is what people do that reads an order.
type countedAct int

// Acts that are counted, each by itself: somebody who looked too much up can still
// submit a form and check a result.
const (
	actLookUp countedAct = iota
	actSubmit
	actCheck
)

// most is how many of an act a person has in a minute. A form that is refused because
// the order changed is submitted again: so there are more of those.
func (l *Lookups) most(what countedAct) int {
	if what == actLookUp {
		return l.PerMinute
	}
	return 2 * l.PerMinute
}

// lookedUp is what one person looked up in the last minute.
type lookedUp struct {
	times []time.Time // oldest first
	free  map[string]*freePass
}

// freePass lets the pages of an order be read after its look-up.
type freePass struct {
	until time.Time
	left  int
}

// take counts an act and returns how long to wait for it: 0 when it is let through.
func (l *Lookups) take(person int64, what countedAct, outOrderNo string, now time.Time) time.Duration {
	most := l.most(what)
	if most <= 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.of(counted{person, what}, now)
	if n := len(p.times); n >= most {
		return max(p.times[n-most].Add(lookupWindow).Sub(now), time.Millisecond)
	}
	p.times = append(p.times, now)
	if what == actLookUp {
		p.free[outOrderNo] = &freePass{until: now.Add(freeWithin), left: freeReads}
	}
	return 0
}

// open is take for the pages that a look-up leads to.
func (l *Lookups) open(person int64, outOrderNo string, now time.Time) time.Duration {
	if l.PerMinute <= 0 {
		return 0
	}
	l.mu.Lock()
	if pass := l.of(counted{person, actLookUp}, now).free[outOrderNo]; pass != nil && pass.left > 0 {
		pass.left--
		l.mu.Unlock()
		return 0
	}
	l.mu.Unlock()
	return l.take(person, actLookUp, outOrderNo, now)
}

// of is what is counted, without what no longer counts. A clock that was set back
// forgets what lies ahead.
func (l *Lookups) of(key counted, now time.Time) *lookedUp {
	if l.people == nil || len(l.people) > restPeople {
		kept := map[counted]*lookedUp{}
		for id, p := range l.people {
			if n := len(p.times); n > 0 && now.Sub(p.times[n-1]) < lookupWindow {
				kept[id] = p
			}
		}
		l.people = kept
	}
	p := l.people[key]
	if p == nil {
		p = &lookedUp{free: map[string]*freePass{}}
		l.people[key] = p
	}
	rest := p.times[:0]
	for _, t := range p.times {
		if !t.After(now) && now.Sub(t) < lookupWindow {
			rest = append(rest, t)
		}
	}
	p.times = rest
	for no, pass := range p.free {
		if !now.Before(pass.until) || pass.until.Sub(now) > freeWithin {
			delete(p.free, no)
		}
	}
	return p
}

// guess takes a place for a look-up without a merchant. query waits for the share of
// one query; done gives the place back. ok is false when ctx ends before there is one.
func (l *Lookups) guess(ctx context.Context, person int64) (query func(context.Context) error, done func(), ok bool) {
	l.once.Do(func() {
		l.guesses, l.places = rate.NewLimiter(guessRate, guessBurst), make(chan struct{}, mostGuesses)
	})
	v, _ := l.asking.LoadOrStore(person, make(chan struct{}, 1))
	own := v.(chan struct{})
	select {
	case own <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, false
	}
	select {
	case l.places <- struct{}{}:
	case <-ctx.Done():
		<-own
		return nil, nil, false
	}
	return l.guesses.Wait, func() { <-l.places; <-own }, true
}

// tooFast is the error of somebody who has to wait.
func tooFast(code string, wait time.Duration) *Error {
	return &Error{Kind: TooFast, Code: code, Wait: wait}
}

// counting counts another act of the actor that reads an order.
func (s *Service) counting(a Actor, what countedAct) error {
	if wait := s.Lookups.take(a.UserID, what, "", s.Now()); wait > 0 {
		return tooFast(CodeTooMany, wait)
	}
	return nil
}

// LookUp counts a look-up by the actor. An error of kind TooFast tells how long to wait.
func (s *Service) LookUp(a Actor, outOrderNo string) error {
	if wait := s.Lookups.take(a.UserID, actLookUp, outOrderNo, s.Now()); wait > 0 {
		return tooFast(CodeTooFast, wait)
	}
	return nil
}

// OpenOrder counts the reading of an order's page or form by the actor. It is a look-up,
// unless it comes after one of the same order.
func (s *Service) OpenOrder(a Actor, outOrderNo string) error {
	if wait := s.Lookups.open(a.UserID, outOrderNo, s.Now()); wait > 0 {
		return tooFast(CodeTooFast, wait)
	}
	return nil
}
