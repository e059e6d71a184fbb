package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"correction-console/internal/correction"
)

// readPool is a fixed number of connections that read, each with the statements that were
// prepared on it. Who reads holds one of them until the last row, and asks for no second
// one meanwhile: as many pages as there are connections would wait for each other for
// ever. Statements are prepared on the connection that is held, so that nothing below
// asks again; RefuseNested finds who does above.
type readPool struct {
	readLimits
	db      *sql.DB
	note    func(error)   // is told each error of the database
	free    chan struct{} // as many as there are idle links
	mu      sync.Mutex
	idle    []*link // the one used last comes first: what it read is in its memory
	waiting atomic.Int64
	closed  atomic.Bool
	held    sync.Map // *hold → nil
}

// readLimits bound a pool.
type readLimits struct {
	links  int
	queue  int           // how many may wait; 0: any number
	wait   time.Duration // for a connection
	within time.Duration // from then on, for the last row
}

// Four pools. Sign-in, sessions, look-ups, confirmations and ordinary pages share the
// light one, and wait for nobody who goes through much of the record: that takes one of
// the heavy ones, and a filter or a total of the change log one of its own, since a large
// record makes those slow. Exports read in portions; how many there are is bounded
// elsewhere.
var (
	lightReads  = readLimits{links: readers, wait: 5 * time.Second, within: 10 * time.Second}
	heavyReads  = readLimits{links: 2, queue: 32, wait: 15 * time.Second, within: 30 * time.Second}
	searchReads = readLimits{links: 2, queue: 128, wait: 5 * time.Second, within: 10 * time.Second}
	exportReads = readLimits{links: 2, wait: 30 * time.Second, within: 30 * time.Second}
)

// link is a connection of a pool; conn is nil until it is needed.
type link struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
	shapes   int
}

func (l *link) close() {
	for _, s := range l.prepared { // database/sql leaves them to us
		s.Close()
	}
	if l.conn != nil {
		l.conn.Close()
	}
	*l = link{}
}

func (p *readPool) open(path string, limits readLimits, note func(error)) {
	p.readLimits, p.note = limits, note
	p.db = sql.OpenDB(connector{reading, readerDSN(path)})
	p.db.SetMaxOpenConns(limits.links)
	p.db.SetMaxIdleConns(0) // the links keep them
	p.free = make(chan struct{}, limits.links)
	for range limits.links {
		p.put(&link{})
	}
}

func (p *readPool) put(l *link) {
	p.mu.Lock()
	p.idle = append(p.idle, l)
	p.mu.Unlock()
	p.free <- struct{}{}
}

// pop is for who received from free.
func (p *readPool) pop() *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return l
}

// close closes what is not held now; who holds a connection closes it.
func (p *readPool) close() error {
	p.closed.Store(true)
	for {
		select {
		case <-p.free:
			p.pop().close()
		default:
			return p.db.Close()
		}
	}
}

// hold is a connection that somebody holds until close.
type hold struct {
	*link
	pool   *readPool
	ctx    context.Context // ends when the time is over, too
	cancel context.CancelCauseFunc
	timer  *time.Timer
	begun  bool // a transaction
	bad    bool // the connection is not good any more
	watch  *nesting
	by     uint64
}

// hold waits for a connection. What is read through it ends with ctx, and with ErrSlow
// when it takes too long; ErrCrowded when there is none.
func (p *readPool) hold(ctx context.Context) (*hold, error) {
	h, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	h.ctx, h.cancel = context.WithCancelCause(ctx)
	h.timer = time.AfterFunc(p.within, func() { h.cancel(correction.ErrSlow) })
	if err := h.connect(); err != nil {
		h.close()
		return nil, h.fault(err)
	}
	p.held.Store(h, nil)
	return h, nil
}

// glance is hold for one look-up by a key that takes some microseconds, which is not
// worth being interrupted: only the wait has an end.
func (p *readPool) glance(ctx context.Context) (*hold, error) {
	h, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	h.ctx = context.WithoutCancel(ctx)
	if err := h.connect(); err != nil {
		h.close()
		return nil, h.fault(err)
	}
	return h, nil
}

func (p *readPool) take(ctx context.Context) (*hold, error) {
	if err := ctx.Err(); err != nil { // the selects below would choose at random
		return nil, err
	}
	h := &hold{pool: p}
	h.enter()
	select {
	case <-p.free:
	default:
		if err := p.await(ctx); err != nil {
			h.leave()
			return nil, err
		}
	}
	h.link = p.pop()
	if p.closed.Load() {
		h.close()
		return nil, ErrClosed
	}
	return h, nil
}

func (p *readPool) await(ctx context.Context) error {
	defer p.waiting.Add(-1)
	if n := p.waiting.Add(1); p.queue > 0 && n > int64(p.queue) {
		return correction.ErrCrowded
	}
	enough := time.NewTimer(p.wait)
	defer enough.Stop()
	select {
	case <-p.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-enough.C:
		return correction.ErrCrowded
	}
}

func (h *hold) connect() error {
	if h.conn != nil {
		return nil
	}
	conn, err := h.pool.db.Conn(h.ctx)
	if err == nil {
		h.conn, h.prepared = conn, map[string]*sql.Stmt{}
	}
	return err
}

// close gives the connection back. More than one is none.
func (h *hold) close() {
	if h.link == nil {
		return
	}
	if h.begun {
		if _, err := h.conn.ExecContext(context.Background(), `ROLLBACK`); err != nil {
			h.bad = true
		}
	}
	if h.cancel != nil {
		h.timer.Stop()
		h.cancel(nil)
		h.pool.held.Delete(h)
	}
	l := h.link
	h.link = nil
	if h.bad || h.pool.closed.Load() {
		l.close()
	}
	h.leave()
	h.pool.put(l)
}

// fault is an error of reading as it is told: why the time is over comes first.
func (h *hold) fault(err error) error {
	switch {
	case err == nil || errors.Is(err, sql.ErrNoRows):
		return err
	case errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone):
		h.bad = true
	}
	if cause := context.Cause(h.ctx); errors.Is(cause, correction.ErrSlow) || errors.Is(cause, correction.ErrCrowded) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	h.pool.note(err)
	return err
}

// cutShort ends what is being read.
func (p *readPool) cutShort() {
	p.held.Range(func(h, _ any) bool {
		h.(*hold).cancel(correction.ErrCrowded)
		return true
	})
}

// stmt is the statement of a constant text.
func (h *hold) stmt(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, ok := h.prepared[text]; ok {
		return s, nil
	}
	s, err := h.conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	h.prepared[text] = s
	return s, nil
}

// query reads with a constant text.
func (h *hold) query(ctx context.Context, text string, args ...any) (*answer, error) {
	s, err := h.stmt(ctx, text)
	if err != nil {
		return nil, h.fault(err)
	}
	rows, err := s.QueryContext(ctx, args...) // reads the first row
	if err != nil {
		return nil, h.fault(err)
	}
	return &answer{Rows: rows, hold: h}, nil
}

// ask reads with a text of its own.
func (h *hold) ask(ctx context.Context, text string, args ...any) (*answer, error) {
	rows, err := h.conn.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, h.fault(err)
	}
	return &answer{Rows: rows, hold: h}, nil
}

// query reads with a constant text; the connection is held until the answer is closed.
func (p *readPool) query(ctx context.Context, text string, args ...any) (*answer, error) {
	h, err := p.hold(ctx)
	if err != nil {
		return nil, err
	}
	a, err := h.query(h.ctx, text, args...)
	if err != nil {
		h.close()
		return nil, err
	}
	a.own = true
	return a, nil
}

// row is the one row of a query; Scan, which has to follow, returns the error.
func (p *readPool) row(ctx context.Context, text string, args ...any) scanner {
	h, err := p.hold(ctx)
	return soleRow(h, err, text, args)
}

// look is row through glance.
func (p *readPool) look(ctx context.Context, text string, args ...any) scanner {
	h, err := p.glance(ctx)
	return soleRow(h, err, text, args)
}

func soleRow(h *hold, err error, text string, args []any) scanner {
	if err != nil {
		return failed{err}
	}
	s, err := h.stmt(h.ctx, text)
	if err != nil {
		err = h.fault(err)
		h.close()
		return failed{err}
	}
	return oneRow{s.QueryRowContext(h.ctx, args...), h}
}

// answer is the rows of a query.
type answer struct {
	*sql.Rows
	hold *hold
	own  bool // closing it gives the connection back
}

func (a *answer) Scan(dest ...any) error {
	err := a.Rows.Scan(dest...)
	if err != nil {
		err = a.hold.fault(err)
	}
	return err
}

func (a *answer) Err() error { return a.hold.fault(a.Rows.Err()) }

func (a *answer) Close() error {
	err := a.Rows.Close()
	if a.own {
		a.hold.close()
	}
	return err
}

// oneRow gives the connection back when it is scanned.
type oneRow struct {
	row  *sql.Row
	hold *hold
}

func (r oneRow) Scan(dest ...any) error {
	err := r.row.Scan(dest...)
	if err != nil {
		err = r.hold.fault(err)
	}
	r.hold.close()
	return err
}

// rowSet is what rows of all kinds of connections have in common.
type rowSet interface {
	scanner
	Next() bool
	Err() error
	Close() error
}

// nesting notes who holds a connection, or is the writer, by goroutine.
type nesting struct {
	mu     sync.Mutex
	by     map[uint64]string
	report func(string)
}

var nested atomic.Pointer[nesting]

// RefuseNested makes every store of the process tell when somebody asks for a connection,
// or for the writer, while holding one. It is for tests: it costs a look at the stack each
// time.
func RefuseNested(report func(string)) {
	nested.Store(&nesting{by: map[uint64]string{}, report: report})
}

func (n *nesting) enter() uint64 {
	stack := make([]byte, 8<<10)
	stack = stack[:runtime.Stack(stack, false)]
	fields := strings.SplitN(string(stack), " ", 3) // goroutine 17 [running]
	id, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		panic(err)
	}
	n.mu.Lock()
	held, twice := n.by[id]
	if !twice {
		n.by[id] = string(stack)
	}
	n.mu.Unlock()
	if twice {
		n.report("a second connection is asked for by\n" + string(stack) + "\nwhile one is held, which was asked for by\n" + held)
		return 0
	}
	return id
}

func (n *nesting) leave(id uint64) {
	n.mu.Lock()
	delete(n.by, id)
	n.mu.Unlock()
}

// nowHeld notes that the writer is asked for, until what it returns is called.
func nowHeld() func() {
	n := nested.Load()
	if n == nil {
		return func() {}
	}
	id := n.enter()
	return func() { n.leave(id) }
}

func (h *hold) enter() {
	if n := nested.Load(); n != nil {
		h.watch, h.by = n, n.enter()
	}
}

func (h *hold) leave() {
	if h.watch != nil {
		h.watch.leave(h.by)
	}
}
