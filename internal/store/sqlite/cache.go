package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"correction-console/internal/correction"
)

// directoryAge is how old the directory may be. Edits of this process show at once;
// those of the command line beside a running console after this time.
const directoryAge = time.Second

// directory is what lists need of people, merchants and services, read together.
type directory struct {
	read      time.Time
	merchants []correction.Merchant
	merchant  map[string]correction.Merchant
	offering  map[string]correction.Offering
	people    map[int64]correction.Author
	authors   []correction.Author // people with corrections, by login name
	everybody []correction.Author
	approvers []correction.Author // people who decide about approvals, or did
	offerings []correction.Offering
	logins    map[string]int64
	facets    map[string]map[string]int64 // kind → value → number
}

// directories keeps the newest directory. The zero value is empty. Nothing is read while
// mu is held: the writer takes it, too.
type directories struct {
	mu      sync.Mutex
	current *directory
	edits   int            // how often it was forgotten
	reading *directoryRead // nil: nobody reads it
}

// directoryRead is what those who wait for the directory know of whoever reads it.
type directoryRead struct {
	done chan struct{}
	err  error // after done: why there is none for them either
}

// forget makes the next look read the directory again. It follows every edit.
func (d *directories) forget() {
	d.mu.Lock()
	d.current = nil
	d.edits++
	d.mu.Unlock()
}

// noteAuthor forgets a directory that does not list the person as an author yet.
func (d *directories) noteAuthor(id int64) {
	d.mu.Lock()
	known := d.current != nil && slices.ContainsFunc(d.current.authors, func(a correction.Author) bool { return a.ID == id })
	d.mu.Unlock()
	if !known {
		d.forget()
	}
}

// directory returns a directory that is at most directoryAge old. One of those who ask at
// the same time reads it.
func (s *Store) directory(ctx context.Context) (*directory, error) {
	d := &s.directories
	for {
		d.mu.Lock()
		if found := d.current; found != nil && time.Since(found.read) < directoryAge {
			d.mu.Unlock()
			return found, nil
		}
		if other := d.reading; other != nil {
			d.mu.Unlock()
			select {
			case <-other.done:
				if other.err != nil {
					return nil, other.err
				}
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		own := &directoryRead{done: make(chan struct{})}
		edits := d.edits
		d.reading = own
		d.mu.Unlock()
		return s.readForAll(ctx, own, edits)
	}
}

// readForAll reads the directory for all who wait for it. An error is theirs, too, unless
// it is only that ctx ended: each would find the same one, after as long a wait, one after
// the other.
func (s *Store) readForAll(ctx context.Context, own *directoryRead, edits int) (*directory, error) {
	d := &s.directories
	defer func() { // after a panic, too
		d.mu.Lock()
		d.reading = nil
		d.mu.Unlock()
		close(own.done)
	}()
	found, err := s.readDirectory(ctx)
	if err != nil {
		if ctx.Err() == nil {
			own.err = err
		}
		return nil, err
	}
	d.mu.Lock()
	if d.edits == edits {
		d.current = found
	}
	d.mu.Unlock()
	return found, nil
}

func (s *Store) readDirectory(ctx context.Context) (*directory, error) {
	m, err := s.reader.moment(ctx)
	if err != nil {
		return nil, err
	}
	defer m.close()
	d := &directory{read: time.Now(), merchant: map[string]correction.Merchant{}, offering: map[string]correction.Offering{}, people: map[int64]correction.Author{},
		logins: map[string]int64{}, facets: map[string]map[string]int64{}}
	rows, err := m.query(m.ctx, `SELECT sub_mchid, name FROM merchant ORDER BY sub_mchid`)
	d.merchants, err = collect(rows, err, func(r scanner) (correction.Merchant, error) {
		var m correction.Merchant
		err := r.Scan(&m.SubMchID, &m.Name)
		return m, err
	})
	if err != nil {
		return nil, fmt.Errorf("list merchants: %w", err)
	}
	for _, m := range d.merchants {
		d.merchant[m.SubMchID] = m
	}
	rows, err = m.query(m.ctx, offeringsQuery)
	if d.offerings, err = collect(rows, err, scanOffering); err != nil {
		return nil, fmt.Errorf("list services: %w", err)
	}
	for _, o := range d.offerings {
		d.offering[o.ServiceID] = o
	}
	rows, err = m.query(m.ctx, `
		SELECT u.id, u.username, u.name, EXISTS (SELECT 1 FROM correction c WHERE c.author = u.id),
			u.role = 'supervisor' OR EXISTS (SELECT 1 FROM correction_now w WHERE w.approver = u.id AND w.approver <> 0)
		FROM user u ORDER BY u.username`)
	_, err = collect(rows, err, func(r scanner) (struct{}, error) {
		var a correction.Author
		var corrected, approves bool
		err := r.Scan(&a.ID, &a.Login, &a.Name, &corrected, &approves)
		d.people[a.ID], d.logins[a.Login] = a, a.ID
		d.everybody = append(d.everybody, a)
		if corrected {
			d.authors = append(d.authors, a)
		}
		if approves {
			d.approvers = append(d.approvers, a)
		}
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("read people: %w", err)
	}
	rows, err = m.query(m.ctx, `SELECT n, kind, value FROM facet`)
	_, err = collect(rows, err, func(r scanner) (struct{}, error) {
		var n int64
		var f facet
		err := r.Scan(&n, &f.kind, &f.value)
		if d.facets[f.kind] == nil {
			d.facets[f.kind] = map[string]int64{}
		}
		d.facets[f.kind][f.value] = n
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("read facets: %w", err)
	}
	return d, nil
}

// knownFacts bounds how many corrections' facts are kept, some 6 MB at the longest
// notes.
const knownFacts = 2000

// facts keeps what lists show of corrections and what never changes in them: rows of
// the record are not rewritten. The zero value is empty.
type facts struct {
	mu   sync.RWMutex
	byID map[int64]correction.Summary
}

// fill completes rows that have an id with the facts it knows and returns the ids
// that it does not know.
func (f *facts) fill(rows []correction.Summary) (missing []int64) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for i := range rows {
		known, ok := f.byID[rows[i].ID]
		if !ok {
			missing = append(missing, rows[i].ID)
			continue
		}
		rows[i] = withFacts(rows[i], known)
	}
	return missing
}

// withFacts is a row as it stands now with the facts that never change.
func withFacts(now, facts correction.Summary) correction.Summary {
	facts.State, facts.ChangedAt, facts.RequestID, facts.Settled, facts.Due = now.State, now.ChangedAt, now.RequestID, now.Settled, now.Due
	facts.Review, facts.ApproverID, facts.Flagged = now.Review, now.ApproverID, now.Flagged
	return facts
}

func (f *facts) add(rows []correction.Summary) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byID == nil || len(f.byID)+len(rows) > knownFacts {
		f.byID = make(map[int64]correction.Summary, knownFacts)
	}
	for _, r := range rows {
		f.byID[r.ID] = r
	}
}

// complete fills rows, of which id and state are known, with everything else that
// lists show.
func (s *Store) complete(ctx context.Context, rows []correction.Summary) error {
	if missing := s.facts.fill(rows); len(missing) > 0 {
		list, err := json.Marshal(missing)
		if err != nil {
			return err
		}
		found, err := s.reader.query(ctx, `SELECT `+factColumns+` FROM json_each(?) wanted CROSS JOIN correction c ON c.id = wanted.value`, string(list))
		fresh, err := collect(found, err, scanFacts)
		if err != nil {
			return err
		}
		s.facts.add(fresh)
		byID := make(map[int64]correction.Summary, len(fresh)) // the cache may be full and empty again by now
		for _, f := range fresh {
			byID[f.ID] = f
		}
		for i, r := range rows {
			if f, ok := byID[r.ID]; ok {
				rows[i] = withFacts(r, f)
			} else if r.PreparedAt.IsZero() {
				return fmt.Errorf("no facts of correction %d", r.ID)
			}
		}
	}
	d, err := s.directory(ctx)
	if err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		author := d.people[r.AuthorID]
		r.AuthorLogin, r.AuthorName = author.Login, author.Name
		r.ApproverName = d.people[r.ApproverID].Name
		r.MerchantName, r.ServiceName = d.merchant[r.Ref.SubMchID].Name, d.offering[r.Ref.ServiceID].Name
	}
	return nil
}
