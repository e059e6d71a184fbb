package disktest

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"

	_ "modernc.org/sqlite" // an ordinary connection, without the console's guards

	"correction-console/internal/correction"
)

var noContext = context.Background()

// record is what a database holds, read by an ordinary connection.
type record struct {
	whole       error // what SQLite's own check of the file says
	open        int   // corrections that are not decided
	intents     map[string]int64
	corrections []entry
}

type entry struct {
	id     int64
	order  string
	state  correction.State
	nonce  string // of the intent to send; empty = none
	events []event
}

type event struct {
	state correction.State
	class correction.Class
}

func readRecord(path string) (*record, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&_busy_timeout=5000")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	r := &record{intents: map[string]int64{}}
	var check string
	if err := db.QueryRow(`SELECT group_concat(integrity_check) FROM pragma_integrity_check`).Scan(&check); err != nil {
		return nil, fmt.Errorf("check the file: %w", err)
	}
	var strangers int
	if err := db.QueryRow(`SELECT count(*) FROM pragma_foreign_key_check`).Scan(&strangers); err != nil {
		return nil, fmt.Errorf("check the file: %w", err)
	}
	if check != "ok" || strangers > 0 {
		r.whole = fmt.Errorf("the file is corrupt: %s, %d rows refer to nothing", check, strangers)
	}
	rows, err := db.Query(`
		SELECT c.id, c.out_order_no, w.state, COALESCE(s.nonce, ''),
			(SELECT json_group_array(json_array(state, detail ->> '$.class') ORDER BY n) FROM event WHERE correction_id = c.id)
		FROM correction c JOIN correction_now w ON w.correction_id = c.id LEFT JOIN send s ON s.correction_id = c.id ORDER BY c.id`)
	if err != nil {
		return nil, fmt.Errorf("read the record: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e entry
		var events string
		if err := rows.Scan(&e.id, &e.order, &e.state, &e.nonce, &events); err != nil {
			return nil, fmt.Errorf("read the record: %w", err)
		}
		var pairs [][2]*string
		if err := json.Unmarshal([]byte(events), &pairs); err != nil {
			return nil, fmt.Errorf("read the record: %w", err)
		}
		for _, p := range pairs {
			x := event{state: correction.State(*p[0])}
			if p[1] != nil {
				x.class = correction.Class(*p[1])
			}
			e.events = append(e.events, x)
		}
		if e.nonce != "" {
			r.intents[e.nonce] = e.id
		}
		if e.state.Holds() {
			r.open++
		}
		r.corrections = append(r.corrections, e)
	}
	return r, rows.Err()
}
