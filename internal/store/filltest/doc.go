// Package filltest fills databases with many corrections for benchmarks, fast and always
// in the same way.
//
// What it writes is enough for lists, searches, exports, insights and the page of a
// correction: the corrections with valid bodies and bases, how each stands, what it has
// of devices, flags and spent allowance, its first event and the one with which it came
// to its state, and its newest review. It is no record that verify accepts: the events in
// between, the intents to send, salts and the proof are missing.
package filltest
