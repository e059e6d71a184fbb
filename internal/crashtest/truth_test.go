package crashtest

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite"

	"correction-console/internal/correction"
	"correction-console/internal/journal"
	"correction-console/internal/wechat/simulator"
)

func (in *installation) open() (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(in.folder, "console.db")+"?_busy_timeout=5000")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// settled waits until no correction is under way or uncertain any more.
func (in *installation) settled(limit time.Duration) error {
	db, err := in.open()
	if err != nil {
		return err
	}
	defer db.Close()
	return eventually(limit, func() (bool, error) {
		var open int
		err := db.QueryRow(`SELECT count(*) FROM correction_now WHERE state IN ('claimed', 'sending', 'unknown')`).Scan(&open)
		return open == 0, err
	})
}

// fact is a correction as it is on record.
type fact struct {
	id     int64
	order  string
	target correction.Fen
	states []correction.State // of its events
	nonce  string             // of its intent, empty without one
	signed time.Time
}

func (f fact) state() correction.State {
	if len(f.states) == 0 {
		return ""
	}
	return f.states[len(f.states)-1]
}

// record is everything that is on record.
type record struct {
	facts   []fact
	sent    map[string]bool // nonces in the journal
	illegal []string        // what no correction may look like
	damaged []string        // what is wrong with the file
}

func (in *installation) record() (*record, error) {
	db, err := in.open()
	if err != nil {
		return nil, err
	}
	defer db.Close()
	r := &record{sent: map[string]bool{}}
	byID := map[int64]int{}
	err = rows(db, `
		SELECT c.id, c.out_order_no, c.target_total, COALESCE(s.nonce, ''), COALESCE(s.sign_ms, 0)
		FROM correction c LEFT JOIN send s ON s.correction_id = c.id ORDER BY c.id`, func(scan func(...any) error) error {
		var f fact
		var ms int64
		err := scan(&f.id, &f.order, &f.target, &f.nonce, &ms)
		f.signed = time.UnixMilli(ms)
		byID[f.id] = len(r.facts)
		r.facts = append(r.facts, f)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = rows(db, `
		SELECT e.correction_id, e.n, e.state, w.n, w.state FROM event e LEFT JOIN correction_now w ON w.correction_id = e.correction_id
		ORDER BY e.correction_id, e.n`, func(scan func(...any) error) error {
		var id int64
		var n, last int
		var state, now correction.State
		if err := scan(&id, &n, &state, &last, &now); err != nil {
			return err
		}
		i, ok := byID[id]
		if !ok {
			r.illegal = append(r.illegal, fmt.Sprintf("event %d of correction %d, which there is not", n, id))
			return nil
		}
		f := &r.facts[i]
		from := f.state()
		f.states = append(f.states, state)
		switch {
		case n != len(f.states):
			r.illegal = append(r.illegal, fmt.Sprintf("correction %d: event %d comes at place %d", id, n, len(f.states)))
		case !state.Follows(from):
			r.illegal = append(r.illegal, fmt.Sprintf("correction %d: %s follows %s", id, state, from))
		case state == correction.Sending && f.nonce == "":
			r.illegal = append(r.illegal, fmt.Sprintf("correction %d: sending without an intent", id))
		case n == last && state != now:
			r.illegal = append(r.illegal, fmt.Sprintf("correction %d: its state is %s, its last event %s", id, now, state))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	nonces := map[string]int64{}
	for _, f := range r.facts {
		if f.nonce == "" {
			continue
		}
		if other, taken := nonces[f.nonce]; taken {
			r.illegal = append(r.illegal, fmt.Sprintf("corrections %d and %d stand for one POST", other, f.id))
		}
		nonces[f.nonce] = f.id
	}
	for _, check := range []string{`PRAGMA integrity_check`, `PRAGMA foreign_key_check`} {
		err := rows(db, check, func(scan func(...any) error) error {
			var first, rest any
			if check == `PRAGMA integrity_check` {
				err := scan(&first)
				if first == "ok" {
					return err
				}
			} else if err := scan(&first, &rest, new(any), new(any)); err != nil {
				return err
			}
			r.damaged = append(r.damaged, fmt.Sprintf("%s: %v %v", check, first, rest))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	// A line that was cut by a kill was never acknowledged, so nothing was sent for it.
	_, err = journal.Read(filepath.Join(in.folder, "journal"), func(l journal.Record) error {
		if l.Intent {
			r.sent[l.Signing.Nonce] = true
		}
		return nil
	})
	return r, err
}

func rows(db *sql.DB, query string, each func(scan func(...any) error) error) error {
	list, err := db.Query(query)
	if err != nil {
		return err
	}
	defer list.Close()
	for list.Next() {
		if err := each(list.Scan); err != nil {
			return err
		}
	}
	return list.Err()
}

// tally is what a comparison of the record with the truth came to.
type tally struct {
	corrections, posts, faults, applied int

	lost        int // POSTs without an intent on record, or applied and not recorded so
	twice       int // POSTs after the first for one correction
	wrong       int // recorded as in force and not applied, or the other way about
	illegal     int
	undecided   int
	unjournaled int // POSTs that the journal lacks
	damaged     int
	// beyond counts POSTs that took effect after the quiet time, because this machine was
	// slow: WeChat would not have accepted their signature. They prove nothing.
	beyond int

	examples []string
}

func (c *tally) note(count *int, format string, args ...any) {
	*count++
	if len(c.examples) < 20 {
		c.examples = append(c.examples, fmt.Sprintf(format, args...))
	}
}

func (c *tally) violations() int {
	return c.lost + c.twice + c.wrong + c.illegal + c.undecided + c.unjournaled + c.damaged
}

func (c *tally) add(o tally) {
	for _, p := range []struct{ to, from *int }{
		{&c.corrections, &o.corrections}, {&c.posts, &o.posts}, {&c.faults, &o.faults}, {&c.applied, &o.applied},
		{&c.lost, &o.lost}, {&c.twice, &o.twice}, {&c.wrong, &o.wrong}, {&c.illegal, &o.illegal}, {&c.undecided, &o.undecided},
		{&c.unjournaled, &o.unjournaled}, {&c.damaged, &o.damaged}, {&c.beyond, &o.beyond},
	} {
		*p.to += *p.from
	}
	c.examples = append(c.examples, o.examples...)
}

func (c *tally) String() string {
	sound := "integrity ok"
	if c.damaged > 0 {
		sound = fmt.Sprintf("%d FAULTS OF THE FILE", c.damaged)
	}
	text := fmt.Sprintf("%d corrections, %d POSTs (%d with a fault, %d applied), %d lost, %d posted twice, %d wrong verdicts, %d illegal histories, %d undecided, %d not in the journal, %s",
		c.corrections, c.posts, c.faults, c.applied, c.lost, c.twice, c.wrong, c.illegal, c.undecided, c.unjournaled, sound)
	if c.beyond > 0 {
		text += fmt.Sprintf(", %d left out (applied after the quiet time: a slow machine)", c.beyond)
	}
	return text
}

func (c *tally) details() string { return strings.Join(c.examples, "\n") }

// deed names a correction by what it asks for: no total is used twice for an order.
type deed struct {
	order string
	total correction.Fen
}

// compare holds the record against the truth.
func compare(r *record, posts []simulator.Post) tally {
	c := tally{corrections: len(r.facts), posts: len(posts)}
	byNonce, byDeed := map[string]fact{}, map[deed]fact{}
	for _, f := range r.facts {
		byDeed[deed{f.order, f.target}] = f
		if f.nonce != "" {
			byNonce[f.nonce] = f
		}
	}
	times, applied := map[deed]int{}, map[deed]time.Time{}
	for _, p := range posts {
		d := deed{p.Order, p.Total}
		if p.Fault != "" {
			c.faults++
		}
		if p.Applied {
			c.applied++
			applied[d] = p.AppliedAt
		}
		if times[d]++; times[d] > 1 {
			c.note(&c.twice, "%v was posted %d times", d, times[d])
		}
		if f, ok := byNonce[p.Nonce]; !ok || f.order != p.Order || f.target != p.Total {
			c.note(&c.lost, "the POST %s of %v, applied: %v, is not on record", p.Nonce, d, p.Applied)
		}
		if !r.sent[p.Nonce] {
			c.note(&c.unjournaled, "the POST %s of %v is not in the journal", p.Nonce, d)
		}
	}
	for d, at := range applied {
		f, ok := byDeed[d]
		switch {
		case !ok:
			c.note(&c.lost, "%v was applied, and no correction is on record", d)
		case f.state().Effective(), f.state().Holds(), f.state() == correction.NeedsPerson: // see below
		case f.state().NoEffect() && f.nonce != "" && at.After(f.signed.Add(quiet)):
			c.beyond++
		case f.state().NoEffect():
			c.note(&c.wrong, "correction %d of %v was applied and is %s: %v", f.id, d, f.state(), f.states)
		default:
			c.note(&c.lost, "correction %d of %v was applied and is %s: %v", f.id, d, f.state(), f.states)
		}
	}
	for _, f := range r.facts {
		d := deed{f.order, f.target}
		_, done := applied[d]
		switch {
		case f.state().Effective() && !done:
			c.note(&c.wrong, "correction %d of %v was not applied and is %s: %v", f.id, d, f.state(), f.states)
		case f.state().Holds(), f.state() == correction.NeedsPerson:
			c.note(&c.undecided, "correction %d of %v is %s: %v", f.id, d, f.state(), f.states)
		}
	}
	for _, what := range r.illegal {
		c.note(&c.illegal, "%s", what)
	}
	for _, what := range r.damaged {
		c.note(&c.damaged, "%s", what)
	}
	return c
}

// live checks that each order says what the record says that it does.
func (c *tally) live(r *record, orders []simulator.Order) {
	says := map[string]correction.Fen{}
	for _, f := range r.facts {
		if least, ok := says[f.order]; f.state().Effective() && (!ok || f.target < least) {
			says[f.order] = f.target
		}
	}
	for _, o := range orders {
		want, ok := says[o.OutOrderNo]
		if !ok {
			want = opening
		}
		if o.Total != want && c.beyond == 0 {
			c.note(&c.lost, "order %s says %s, the record %s", o.OutOrderNo, o.Total.Yuan(), want.Yuan())
		}
	}
}
