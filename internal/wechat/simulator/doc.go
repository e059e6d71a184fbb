// Package simulator is a Pay Score API for tests and for the demo: it speaks query
// and modify over real HTTP, refuses everything that WeChat's documents forbid,
// signs its answers as WeChat does, and fails on request or at random. It keeps the
// truth that tests compare with. It also runs in memory, in virtual time (Pipe), and
// in a process of its own (Admin).
//
// Where the documents leave something open, it does what is most likely and the
// comment at the place says so.
package simulator
