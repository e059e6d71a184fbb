package simulator

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// chaos is faults at random.
type chaos struct {
	seed     uint64
	permille int
	maxDelay time.Duration
	kinds    map[string][]Kind // by call
}

// Chaos makes every query and modify call fail from now on with a probability of
// permille/1000, with one of the kinds that exists for the call; no kinds = all
// that need no parameters. Delays are random, up to maxDelay; 0 = DefaultDelay.
// Faults that are scripted come first. What happens to a call depends on the seed,
// the order and how often that was asked for before, not on other orders.
func (s *Server) Chaos(seed uint64, permille int, maxDelay time.Duration, of ...Kind) error {
	if permille < 0 || permille > 1000 || maxDelay < 0 {
		return fmt.Errorf("start chaos: %d permille up to %s is out of range", permille, maxDelay)
	}
	if maxDelay == 0 {
		maxDelay = DefaultDelay
	}
	c := chaos{seed: seed, permille: permille, maxDelay: maxDelay, kinds: map[string][]Kind{}}
	for _, k := range of {
		if !slices.ContainsFunc(kinds, func(i KindInfo) bool { return i.Kind == k && !k.generic() }) {
			return fmt.Errorf("start chaos: there is no %q without parameters", k)
		}
	}
	for _, k := range kinds {
		if k.Kind.generic() || (len(of) > 0 && !slices.Contains(of, k.Kind)) {
			continue
		}
		for _, call := range k.Calls {
			c.kinds[call] = append(c.kinds[call], k.Kind)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chaos = c
	return nil
}

// draw returns the fault of a call, if it gets one.
func (c chaos) draw(q request) *Fault {
	kinds := c.kinds[q.call]
	if len(kinds) == 0 {
		return nil
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s %d", q.call, q.no, q.nth)
	r := random{c.seed ^ h.Sum64()}
	if r.below(1000) >= uint64(c.permille) {
		return nil
	}
	return &Fault{Kind: kinds[r.below(uint64(len(kinds)))], Call: q.call, Order: q.no, Times: 1, Delay: 1 + time.Duration(r.below(uint64(c.maxDelay)))}
}

// random is splitmix64: what it yields is the same for a seed on every machine.
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number in [0, n). The bias of the remainder does not matter here.
func (r *random) below(n uint64) uint64 { return r.next() % n }
