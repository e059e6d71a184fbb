// Package simulator is a Pay Score API for tests and for the demo: it speaks query
// and modify over real HTTP, refuses everything that WeChat's documents forbid,
// signs its answers as WeChat does, and fails on request. It keeps the truth that
// tests compare with.
//
// Where the documents leave something open, it does what is most likely and the
// comment at the place says so.
package simulator
