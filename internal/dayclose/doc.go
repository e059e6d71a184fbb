// Package dayclose closes a day of which nothing is open, with its figures and a
// checkpoint of the record, and reopens it.
package dayclose
