package correction

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Concern is something that people must know who did not ask.
type Concern string

// Concerns. Those of corrections come from the record, the others from the machine.
const (
	Unresolved    Concern = "unresolved" // uncertain for more than AlarmAfter
	AppliedAfter  Concern = "applied_late"
	LostEffect    Concern = "lost"
	LowDisk       Concern = "low_disk"     // corrections are refused
	StoreFailed   Concern = "store_failed" // corrections are refused
	JournalFailed Concern = "journal_failed"
	// WeChatSettings: WeChat does not accept our credentials, or its signatures do not hold.
	WeChatSettings Concern = "wechat_settings"
	// JournalMissing: at the start the journal did not know corrections that were sent.
	JournalMissing Concern = "journal_missing"
	ClockOff       Concern = "clock"         // warned of
	ClockRefused   Concern = "clock_refused" // corrections are refused
	OnBackup       Concern = "backup_host"
	Unpublished    Concern = "unpublished" // checkpoints do not leave the machine
	// ReloadFailed: keys that were to be read again are wrong, and the former ones stay.
	ReloadFailed Concern = "reload_failed"
)

// Alarm is a concern with how much of it there is.
type Alarm struct {
	Concern Concern
	Count   int       // of corrections; 0 for the machine's
	ID      int64     // of the oldest correction; 0 for the machine's
	Since   time.Time // zero when not known
}

// Concerns is what the record says of corrections that alarm.
type Concerns struct {
	Uncertain, Late, Lost Alarm // Count 0: none
	Open, Conflicts, Due  int   // uncertain ones of any age; conflicts; those that a supervisor has to see to
}

// alarms keeps what was found for a moment, so that each page can ask.
type alarms struct {
	journal  atomic.Bool // the newest line could not be written
	concerns aged[Concerns]

	mu   sync.Mutex
	told map[int64]time.Time // uncertain corrections that were logged, and when
}

const alarmsAge = 2 * time.Second

func (a *alarms) forget() { a.concerns.forget() }

// unresolved logs an uncertain correction that takes too long, once an hour.
func (a *alarms) unresolved(log *slog.Logger, id int64, since time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if now.Sub(a.told[id]) < time.Hour {
		return
	}
	if a.told == nil {
		a.told = map[int64]time.Time{}
	}
	for old, at := range a.told {
		if now.Sub(at) > time.Hour {
			delete(a.told, old)
		}
	}
	a.told[id] = now
	log.Error("alarm", "kind", Unresolved, "correction", id, "since", since.Truncate(time.Second).String())
}

// Concerns counts what alarms are made of, at most two seconds ago.
func (s *Service) Concerns(ctx context.Context) (Concerns, error) {
	now := s.Now()
	return s.alarms.concerns.get(ctx, now, alarmsAge, func(ctx context.Context) (Concerns, error) {
		return s.Store.Concerns(ctx, now.Add(-AlarmAfter))
	})
}

// Alarms lists what supervisors and operators must know. What cannot be read is left
// out: the page that asks has its own errors.
func (s *Service) Alarms(ctx context.Context) []Alarm {
	var out []Alarm
	if s.Health != nil {
		out = s.Health().alarms(s.Now())
	}
	if s.alarms.journal.Load() {
		out = append(out, Alarm{Concern: JournalFailed})
	}
	c, err := s.Concerns(ctx)
	if err != nil {
		s.Log.Error("read alarms", "err", err)
	}
	for _, a := range []Alarm{c.Uncertain, c.Late, c.Lost} {
		if a.Count > 0 {
			out = append(out, a)
		}
	}
	return out
}

// Checkpoint is the record as it stood at one time, signed: Size events, in the text
// that others keep.
type Checkpoint struct {
	Size int64
	At   time.Time
	Note string
}

// Root is the hash of the record in a checkpoint: the third line of its text.
func (c Checkpoint) Root() string {
	if lines := strings.SplitN(c.Note, "\n", 4); len(lines) == 4 {
		return lines[2]
	}
	return ""
}

// counts is what the metrics tell, since the start of the process.
type counts struct {
	sent, looks, lookFailures atomic.Int64
	outcomes                  sync.Map // State → *atomic.Int64
}

func (c *counts) count(s State) {
	n, ok := c.outcomes.Load(s)
	if !ok {
		n, _ = c.outcomes.LoadOrStore(s, new(atomic.Int64))
	}
	n.(*atomic.Int64).Add(1)
}

// Counts is what the console did since it started.
type Counts struct {
	Sent, Looks, LookFailures int64
	Unfinished                int
	Outcomes                  map[State]int64 // how often each state was come to
}

// Counts tells what the console did since it started.
func (s *Service) Counts() Counts {
	c := Counts{Sent: s.counts.sent.Load(), Looks: s.counts.looks.Load(), LookFailures: s.counts.lookFailures.Load(), Outcomes: map[State]int64{}}
	s.counts.outcomes.Range(func(k, v any) bool {
		c.Outcomes[k.(State)] = v.(*atomic.Int64).Load()
		return true
	})
	s.watch.mu.Lock()
	c.Unfinished = len(s.watch.known)
	s.watch.mu.Unlock()
	return c
}
