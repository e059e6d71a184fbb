package sqlite

import (
	"context"
	"os"
	"time"
)

// The write-ahead log begins again from its start when all of it is in the database file
// and nobody reads in it. SQLite does its part at each commit; pages that overlap each
// other without a gap can keep it from that for ever. So when the log has grown, readers
// are let in again only after it was emptied: first those of the heavy pools, which may
// take long, then, for some milliseconds, all.
type logBounds struct {
	grown   int64 // bytes: make room
	tooLong int64 // end what keeps it from that
}

// SQLite begins at 4 MB, and cuts the file to 8 MB when it begins again.
var usualLog = logBounds{12 << 20, 20 << 20}

const (
	// lightWithin is how long light reads may keep it from that; then it is tried again
	// after lightRest, or they are ended when the log is too long.
	lightWithin = time.Second
	lightRest   = 2 * time.Second
	// logRest is how long it is left alone when another process reads in it, or reads
	// that may take long do not end.
	logRest = 5 * time.Second
	// spareReads is how long no read is ended for the log's sake after another process
	// kept it from being emptied: that read was ended for nothing. Meanwhile it is tried
	// without, and each try that finds the other process again starts the time anew. It
	// has an end because heavy reads that follow each other could keep every such try
	// from being made, long after that process is gone.
	spareReads = 5 * time.Minute
)

func (s *Store) logSize() int64 {
	info, err := os.Stat(s.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

// tendLog looks after a commit whether the log has grown. It is for the writer's
// goroutine.
func (s *Store) tendLog() {
	if s.logSize() <= s.log.grown || time.Now().UnixNano() < s.logRests.Load() || !s.tending.CompareAndSwap(false, true) {
		return
	}
	s.tended.Go(func() {
		defer s.tending.Store(false)
		s.emptyLog()
	})
}

// mayCut tells whether reads may be ended for the log's sake.
func (s *Store) mayCut() bool {
	return s.logSize() > s.log.tooLong && time.Now().UnixNano() >= s.logSpare.Load()
}

// emptyLog waits until nobody reads, and has the writer empty the log.
func (s *Store) emptyLog() {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	var until time.Time
	for _, p := range []*readPool{&s.heavy, &s.export, &s.search} {
		// What was taken from one pool is kept while the next one is waited for, and
		// nobody who asks for it meanwhile is to be refused: the nearest end counts.
		if end := time.Now().Add(p.wait / 3); until.IsZero() || end.Before(until) {
			until = end
		}
		free, ok := p.drain(s.closing, look.C, func() bool {
			if s.mayCut() {
				p.cutShort()
				return true
			}
			return time.Now().Before(until)
		})
		defer p.refill(free)
		if !ok {
			s.restLog(logRest)
			return
		}
	}
	enough := time.NewTicker(lightWithin)
	defer enough.Stop()
	free, ok := s.reader.drain(s.closing, enough.C, func() bool {
		cut := s.mayCut()
		if cut {
			s.reader.cutShort()
		}
		return cut
	})
	defer s.reader.refill(free)
	if !ok {
		s.restLog(lightRest)
		return
	}
	done := make(chan struct{})
	select {
	case s.logEmpty <- done:
		<-done
	case <-s.closing:
	}
}

// moveLog moves the log into the database file. It is for the writer's goroutine; nobody
// is waited for.
func (s *Store) moveLog() {
	var busy, size, moved int64
	err := s.writer.db.QueryRowContext(context.Background(), `PRAGMA wal_checkpoint(PASSIVE)`).Scan(&busy, &size, &moved)
	if err != nil {
		s.note(err)
	}
	if err == nil && busy == 0 && moved >= size {
		s.logSpare.Store(0)
		return
	}
	// Nobody here reads: ending what does would not help. The next commit does not begin
	// again.
	s.logSpare.Store(time.Now().Add(spareReads).UnixNano())
	s.restLog(logRest)
}

func (s *Store) restLog(d time.Duration) { s.logRests.Store(time.Now().Add(d).UnixNano()) }

// drain takes all connections out of the pool as they are given back. At each tick it
// asks whether to go on.
func (p *readPool) drain(stop <-chan struct{}, tick <-chan time.Time, goOn func() bool) (taken []*link, ok bool) {
	for len(taken) < p.links {
		select {
		case <-p.free:
			taken = append(taken, p.pop())
		case <-tick:
			if !goOn() {
				return taken, false
			}
		case <-stop:
			return taken, false
		}
	}
	return taken, true
}

func (p *readPool) refill(links []*link) {
	for _, l := range links {
		if p.closed.Load() {
			l.close()
		}
		p.put(l)
	}
}
