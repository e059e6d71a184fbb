// Package journal is the second record of corrections: files of JSON lines in a
// folder of their own, on another disk if possible. A line is there, synced, before a
// correction is sent and after each thing that became of it. It is read when the
// database was lost and an older copy took its place.
//
// Rules: lines are only appended; a line that was cut by a stop ends where the next
// one begins; nothing is taken for written before the disk said so.
package journal
