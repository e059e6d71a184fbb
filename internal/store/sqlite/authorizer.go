package sqlite

import (
	"errors"

	"modernc.org/sqlite"
)

// Our own drivers, so that the authorizer is on each of their connections and on no
// connection of anybody else in the process.
var (
	writing = searching(guardedDriver(mayWrite))
	reading = guardedDriver(mayRead)
)

func guardedDriver(may sqlite.AuthorizerFn) *sqlite.Driver {
	d := &sqlite.Driver{}
	d.MustRegisterDeterministicScalarFunction("matches", -1, matches)
	d.RegisterConnectionHook(func(c sqlite.ExecQuerierContext, _ string) error {
		r, ok := c.(sqlite.AuthorizerRegisterer)
		if !ok {
			return errors.New("the driver has no authorizer")
		}
		return r.RegisterAuthorizer(may)
	})
	return d
}

// searching adds the functions that keep up the search index.
func searching(d *sqlite.Driver) *sqlite.Driver {
	d.MustRegisterDeterministicScalarFunction("with_bits", 2, withBits)
	d.MustRegisterDeterministicScalarFunction("with_bytes", 2, withBytes)
	return d
}

// change is what may be done to the rows of a table.
type change struct {
	insert, update, remove bool
	byTrigger              bool // only as a consequence of something else
}

// changes lists the tables that may be written at all. The record takes new rows
// only (trust.md §4.3).
var changes = map[string][]change{
	"correction": {{insert: true}},
	"send":       {{insert: true}},
	"event":      {{insert: true}},
	"snapshot":   {{insert: true}},
	"audit":      {{insert: true}},
	"salt":       {{insert: true}},
	"leaf":       {{insert: true}},
	"checkpoint": {{insert: true}},
	"setting":    {{insert: true}},
	"proposal":   {{insert: true}},
	"day_close":  {{insert: true}},
	// A later version of a setting ends what waited for it.
	"proposal_end": {{insert: true}},

	"typed_total": {{insert: true, update: true}},

	"claim":          {{insert: true}, {remove: true, byTrigger: true}},
	"correction_now": {{insert: true, update: true, byTrigger: true}},
	"device":         {{insert: true, byTrigger: true}},
	"flag":           {{insert: true, byTrigger: true}},
	"spent":          {{insert: true, byTrigger: true}},
	"rollup":         {{insert: true, update: true}, {remove: true, byTrigger: true}},

	// The search index, and the tables in which the full-text part of it lies: those are
	// written by nothing else (SQLite's defensive mode).
	"facet":          {{insert: true}},
	"facet_block":    {{insert: true, update: true}},
	"measure":        {{insert: true, update: true}},
	"stretch":        {{insert: true, update: true}},
	"search":         {{insert: true}},
	"search_data":    {{insert: true, update: true, remove: true}},
	"search_idx":     {{insert: true, update: true, remove: true}},
	"search_docsize": {{insert: true, update: true, remove: true}},

	"user":          {{insert: true, update: true}},
	"user_merchant": {{insert: true, remove: true}},
	"merchant":      {{insert: true, update: true}},
	"offering":      {{insert: true, update: true}},
	"session":       {{insert: true, update: true}},
	"attempt":       {{insert: true, update: true, remove: true}},
	"draft":         {{insert: true, update: true, remove: true}},
	"look":          {{insert: true, update: true, remove: true}},
	"saved_view":    {{insert: true, remove: true}},
	"replaying":     {{insert: true, remove: true}},
}

// mayRead allows what changes nothing. It refuses what it does not know.
func mayRead(action sqlite.AuthorizerActionCode, arg1, arg2, _, _ string) sqlite.AuthorizerReturnCode {
	switch action {
	case sqlite.AuthSelect, sqlite.AuthRead, sqlite.AuthTransaction, sqlite.AuthSavepoint, sqlite.AuthRecursive:
		return sqlite.AuthorizerOK
	case sqlite.AuthFunction:
		if arg2 != "load_extension" {
			return sqlite.AuthorizerOK
		}
	case sqlite.AuthPragma: // reading one, or moving the log into the file
		if arg2 == "" || arg1 == "wal_checkpoint" {
			return sqlite.AuthorizerOK
		}
	}
	return sqlite.AuthorizerDeny
}

// mayWrite also allows the changes of the table above, in the main database.
func mayWrite(action sqlite.AuthorizerActionCode, arg1, arg2, database, trigger string) sqlite.AuthorizerReturnCode {
	for _, c := range changes[arg1] {
		allowed := action == sqlite.AuthInsert && c.insert ||
			action == sqlite.AuthUpdate && c.update ||
			action == sqlite.AuthDelete && c.remove
		if allowed && database == "main" && (!c.byTrigger || trigger != "") {
			return sqlite.AuthorizerOK
		}
	}
	return mayRead(action, arg1, arg2, database, trigger)
}
