package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"correction-console/internal/correction"
)

// ended are the states in which a correction is reviewed, withdrawn and expired ones
// apart: nobody did anything in them.
const ended = `w.state IN ('applied', 'applied_late', 'rejected', 'not_sent', 'not_applied', 'stale', 'declined', 'returned', 'resolved')`

// Sources of the parts of the review page: which corrections, by which index.
const (
	flaggedOpen = `correction_now w INDEXED BY correction_now_unreviewed WHERE w.flagged = 1 AND w.review IN ('', 'answered')
		AND w.state NOT IN ('claimed', 'sending', 'unknown', 'conflict')`
	answeredOpen = `correction_now w INDEXED BY correction_now_review WHERE w.review <> '' AND w.review = 'answered' AND w.flagged = 0`
	queriedOnes  = `correction_now w INDEXED BY correction_now_review WHERE w.review <> '' AND w.review = 'queried'`
	wrongOnes    = `correction_now w INDEXED BY correction_now_review WHERE w.review <> '' AND w.review = 'wrong'`
	fineOnes     = `correction_now w INDEXED BY correction_now_review WHERE w.review <> '' AND w.review = 'fine'`
	plainOnes    = `correction_now w NOT INDEXED WHERE w.review = '' AND w.flagged = 0 AND ` + ended
)

var reviewSources = map[correction.ReviewTab][]string{
	correction.TabOpen:    {flaggedOpen, answeredOpen},
	correction.TabQueried: {queriedOnes},
	correction.TabWrong:   {wrongOnes},
	correction.TabFine:    {fineOnes},
	correction.TabPlain:   {plainOnes},
}

// reviewIDs is the query for the ids of a part, newest first: ?1 whether all merchants,
// ?2 the merchants, ?3 and ?4 the days, ?5 the key, ?6 the limit. Ids grow with time, as
// a rule, so that the first one of the days bounds the search.
func reviewIDs(tab correction.ReviewTab) (string, bool) {
	sources, ok := reviewSources[tab]
	text := ""
	for i, source := range sources {
		if i > 0 {
			text += ` UNION ALL `
		}
		text += `SELECT id FROM (SELECT w.correction_id AS id FROM ` + source + `
			AND w.correction_id < ?5
			AND (?3 = 0 OR w.correction_id >= (SELECT COALESCE(min(id), 0) FROM (SELECT id FROM correction INDEXED BY correction_prepared WHERE prepared_ms >= ?3 ORDER BY prepared_ms LIMIT 100)))
			AND (?1 AND ?3 = 0 AND ?4 = 0 OR EXISTS (SELECT 1 FROM correction c WHERE c.id = w.correction_id AND c.prepared_ms >= ?3 AND (?4 = 0 OR c.prepared_ms < ?4)
				AND (?1 OR c.sub_mchid IN (SELECT value FROM json_each(?2)))))
			ORDER BY w.correction_id DESC LIMIT ?6)`
	}
	return text, ok
}

func reviewArgs(q correction.ReviewQuery, limit int) ([]any, error) {
	list, err := json.Marshal(append([]string{}, q.Scope.Merchants...))
	before := q.Before
	if before <= 0 {
		before = 1<<63 - 1
	}
	return []any{q.Scope.All, string(list), millis(q.From), millis(q.To), before, limit}, err
}

// ReviewCount counts a part of the review page, up to the limit.
func (s *Store) ReviewCount(ctx context.Context, q correction.ReviewQuery) (int, error) {
	ids, ok := reviewIDs(q.Tab)
	if !ok {
		return 0, fmt.Errorf("count reviews: no such part: %q", q.Tab)
	}
	args, err := reviewArgs(q, q.Limit)
	var n int
	if err == nil {
		err = s.reader.row(ctx, `SELECT count(*) FROM (`+ids+`)`, args...).Scan(&n)
	}
	if err != nil {
		return 0, fmt.Errorf("count reviews: %w", err)
	}
	return min(n, q.Limit), nil
}

// ReviewList is one page of a part of the review page, newest first; more tells whether
// there are older ones.
func (s *Store) ReviewList(ctx context.Context, q correction.ReviewQuery) ([]correction.ReviewRow, bool, error) {
	ids, ok := reviewIDs(q.Tab)
	if !ok {
		return nil, false, fmt.Errorf("list reviews: no such part: %q", q.Tab)
	}
	args, err := reviewArgs(q, q.Limit+1)
	if err != nil {
		return nil, false, fmt.Errorf("list reviews: %w", err)
	}
	rows, err := s.reader.query(ctx, `
		SELECT `+summaryColumns+`, w.n,
			COALESCE((SELECT e.detail -> '$.flags' FROM event e WHERE e.correction_id = c.id AND e.state = 'claimed'), '[]'),
			(SELECT json_group_array(device_id) FROM device d WHERE d.correction_id = c.id), `+saidColumn+`
		FROM (SELECT id FROM (`+ids+`) ORDER BY id DESC LIMIT ?6) page CROSS JOIN correction c ON c.id = page.id`+summaryJoins+`
		ORDER BY page.id DESC`, args...)
	list, err := collect(rows, err, func(r scanner) (correction.ReviewRow, error) {
		var row correction.ReviewRow
		var flags, devices, said string
		var err error
		row.Summary, err = scanSummary(more(r, &row.N, &flags, &devices, &said))
		if err == nil {
			err = json.Unmarshal([]byte(flags), &row.Flags)
		}
		if err == nil {
			err = json.Unmarshal([]byte(devices), &row.Devices)
		}
		if err == nil {
			row.Said, err = parseSaid(said)
		}
		return row, err
	})
	if err != nil {
		return nil, false, fmt.Errorf("list reviews: %w", err)
	}
	if len(list) > q.Limit {
		return list[:q.Limit], true, nil
	}
	return list, false, nil
}

// saidColumn is the newest mark on a correction c that stands as w tells.
const saidColumn = `COALESCE((SELECT json_object('n', e.n, 'state', e.state, 'at', e.at_ms, 'actor', COALESCE(e.actor, 0), 'name', COALESCE(su.name, ''),
		'review', e.review, 'text', e.detail ->> '$.text')
	FROM event e LEFT JOIN user su ON su.id = e.actor
	WHERE w.review <> '' AND e.correction_id = c.id AND e.review <> '' ORDER BY e.n DESC LIMIT 1), '')`

func parseSaid(text string) (correction.Event, error) {
	var e correction.Event
	if text == "" {
		return e, nil
	}
	var v struct {
		N      int
		State  correction.State
		At     int64
		Actor  int64
		Name   string
		Review correction.ReviewMark
		Text   string
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return e, fmt.Errorf("read what was said: %w", err)
	}
	return correction.Event{N: v.N, State: v.State, At: at(v.At), ActorID: v.Actor, ActorName: v.Name, Detail: correction.Detail{Review: v.Review, Text: v.Text}}, nil
}

// more scans columns behind those that a scan takes.
func more(r scanner, rest ...any) scanner { return longer{r, rest} }

type longer struct {
	scanner
	rest []any
}

func (l longer) Scan(dest ...any) error { return l.scanner.Scan(append(dest, l.rest...)...) }

// Questions lists the corrections of a person on which a question waits for them,
// oldest first.
func (s *Store) Questions(ctx context.Context, author int64, limit int) ([]correction.Question, error) {
	rows, err := s.reader.query(ctx, `
		SELECT `+summaryColumns+`, `+saidColumn+` FROM (
			SELECT q.correction_id AS id FROM correction_now q INDEXED BY correction_now_review
			CROSS JOIN correction mine ON mine.id = q.correction_id
			WHERE q.review <> '' AND q.review = 'queried' AND mine.author = ?
			ORDER BY q.correction_id LIMIT ?
		) page CROSS JOIN correction c ON c.id = page.id`+summaryJoins+` ORDER BY page.id`, author, limit)
	list, err := collect(rows, err, func(r scanner) (correction.Question, error) {
		var q correction.Question
		var said string
		var err error
		if q.Summary, err = scanSummary(more(r, &said)); err == nil {
			q.Asked, err = parseSaid(said)
		}
		return q, err
	})
	if err != nil {
		return nil, fmt.Errorf("list questions for user %s: %w", strconv.FormatInt(author, 10), err)
	}
	return list, nil
}
