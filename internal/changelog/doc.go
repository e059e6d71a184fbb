// Package changelog reads the record of corrections for people: filters and what they can
// be made of, saved filters, lists, totals and exports. What a veil keeps from the reader,
// which correction decides, is in none of them.
package changelog
