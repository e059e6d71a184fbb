package correction

import (
	"container/heap"
	"sync"
	"time"
)

// due is a correction that waits for its next look.
type due struct {
	Unfinished
	at    time.Time
	tries int    // looks in a row that did not decide, or failed
	last  string // code of the error of the newest look, empty when it worked
	asked time.Time
	index int // in the queue; -1 while it is looked at
}

// queue is a heap of what is due, the earliest first.
type queue []*due

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i]; q[i].index, q[j].index = i, j }

func (q *queue) Push(x any) { d := x.(*due); d.index = len(*q); *q = append(*q, d) }

func (q *queue) Pop() any {
	old := *q
	d := old[len(old)-1]
	*q, d.index = old[:len(old)-1], -1
	return d
}

// watch is the schedule of the looking after, in memory: it is made anew from the
// record at each start. Urgent are open corrections; the rest is routine.
type watch struct {
	mu      sync.Mutex
	policy  Policy
	started bool
	now     func() time.Time
	known   map[int64]*due
	urgent  queue
	routine queue
	wake    chan struct{}
	slot    time.Time         // the next routine look is not before
	seen    map[int64]Reading // of orders whose corrections wait for approval, the newest
}

// saw keeps the newest reading of the order of a correction that waits for approval: it
// is what an approver is shown.
func (w *watch) saw(id int64, r Reading) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen == nil {
		w.seen = map[int64]Reading{}
	}
	w.seen[id] = r
}

// lastSeen is the newest reading that was kept; nil when there is none.
func (w *watch) lastSeen(id int64) (*Order, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.seen[id]
	if !ok {
		return nil, time.Time{}
	}
	return &r.Order, r.At
}

func (w *watch) queueOf(s State) *queue {
	if s.NoEffect() || s.Effective() || s == Awaiting {
		return &w.routine
	}
	return &w.urgent
}

func (w *watch) put(d *due) {
	heap.Push(w.queueOf(d.State), d)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// note takes up what an event means for the schedule. Before the schedule is made it
// does nothing: the record will tell.
func (w *watch) note(c Unfinished, from State, e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.State != Awaiting {
		delete(w.seen, c.ID)
	}
	if !w.started {
		return
	}
	d := w.known[c.ID]
	if d != nil && d.State == c.State { // one more reading, or what a person said
		if e.Detail.Settled != "" {
			w.drop(d)
		} else if c.State == Unknown && d.index >= 0 && e.Detail.Finding == FoundBase { // the next reading may decide
			w.take(d)
			d.at, d.tries = w.now().Add(w.policy.Recheck), 0
			w.put(d)
		}
		return
	}
	if d == nil && from == c.State && c.State.Final() { // its looking after has ended
		return
	}
	if d != nil {
		w.drop(d)
	}
	switch {
	case e.Detail.Settled != "":
		return
	case c.State == Unknown:
		w.add(c, w.now().Add(w.policy.Recheck))
	case c.State == Awaiting:
		w.add(c, w.now().Add(awaitingFirst)) // an approver finds a fresh reading
	case c.State.NoEffect():
		at, _ := c.nextRecheck()
		w.add(c, at)
	case c.State.Effective():
		w.add(c, c.nextFollow(c.Entered))
	}
}

// open takes up a correction that stands open because its outcome could not be put on
// record.
func (w *watch) open(c Correction, state State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.started && w.known[c.ID] == nil {
		w.add(Unfinished{ID: c.ID, Ref: c.Ref, State: state, Entered: c.Entered().At}, w.now().Add(w.policy.Recheck))
	}
}

func (w *watch) add(c Unfinished, at time.Time) {
	d := &due{Unfinished: c, at: at}
	w.known[c.ID] = d
	w.put(d)
}

// take removes d from its queue, if it is in one.
func (w *watch) take(d *due) {
	if d.index >= 0 {
		heap.Remove(w.queueOf(d.State), d.index)
		d.index = -1
	}
}

func (w *watch) drop(d *due) {
	w.take(d)
	if w.known[d.ID] == d {
		delete(w.known, d.ID)
	}
}

// next takes what is due now, urgent things first, or tells how long to wait.
func (w *watch) next(now time.Time) (*due, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait := idleWait
	if len(w.urgent) > 0 {
		if wait = min(wait, w.urgent[0].at.Sub(now)); wait <= 0 {
			return heap.Pop(&w.urgent).(*due), 0
		}
	}
	if len(w.routine) > 0 {
		at := w.routine[0].at
		if w.slot.After(at) {
			at = w.slot
		}
		until := at.Sub(now)
		if until <= 0 {
			w.slot = now.Add(time.Second / routineRate)
			return heap.Pop(&w.routine).(*due), 0
		}
		wait = min(wait, until)
	}
	return nil, wait
}
