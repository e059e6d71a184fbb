// Package faulttest holds tests of what becomes of corrections when things go wrong:
// the real service, store, journal and gateway against the signed simulator, in
// virtual time, so that time-outs, the quiet time and the days of the looking after
// take none.
//
// Rules: a world lives in one bubble of testing/synctest, from its store to its
// simulator; what the simulator did is the truth; a run that is chosen at random
// prints its seed.
package faulttest
