// Package sqlite keeps everything in one SQLite file (trust.md §4). One connection
// writes, four read. What must never be rewritten is protected three times: by the
// constraints and triggers of the schema, by an authorizer on every connection,
// and by SQLite's defensive mode.
//
// A nil error of a write means that it is on the disk. The record decides by its
// keys: no operation reads first and writes then.
package sqlite
