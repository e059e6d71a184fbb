// Package correction is the domain of the console: what a correction of a
// completed-but-unpaid Pay Score service order is, when it is allowed, what is
// sent for it and what its outcome means.
//
// It imports no other package of the module. Money is Fen everywhere; times
// are time.Time inside and UTC milliseconds at rest. The interfaces that the
// use cases need (Store, Gateway) are declared here and implemented elsewhere.
package correction
