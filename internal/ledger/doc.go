// Package ledger makes the record provable (trust.md §4.4). Every event of a
// correction is a leaf of one append-only Merkle tree (RFC 6962). A checkpoint is the
// tree's size and root, signed; once it left the machine, no earlier entry can be
// altered, removed, moved or cut off without it showing.
//
// It proves what was recorded, not that it was true when it was recorded.
//
// The package knows bytes only: it imports no other package of the module, reads no
// database, and its answers depend on its arguments alone. Amounts are fen, times UTC
// milliseconds.
package ledger
