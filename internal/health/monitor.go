// Package health watches the machine and the gateway, for the pages that tell people and
// for what refuses to work when the disk is nearly full.
package health

import (
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/wechat"
)

// Config is what a monitor watches.
type Config struct {
	Data     string // folder of the database
	Database string // file of the database
	Journal  string // folder of the journal
	MinFree  int64  // bytes; corrections are refused below it
	// JournalLacks: corrections were sent that the journal did not know at the start.
	JournalLacks bool
	// RollbackBlind: an older copy of the data folder would not be noticed.
	RollbackBlind bool

	Gateway   interface{ Health() wechat.Health }
	Store     interface{ Broken() bool }
	Published func() (to string, at time.Time, fault string)
	Reloaded  func() (fault string, since time.Time) // nil: there are no files to read again
	Log       *slog.Logger
}

// Monitor tells how the console itself is doing. Now is safe for concurrent use; Measure
// and the rest are for one goroutine.
type Monitor struct {
	Config
	started    time.Time
	free, size atomic.Int64
	same       bool      // journal and database are on one disk
	distrusted time.Time // of the newest fault of the settings that was logged
}

// New returns a monitor that has measured once.
func New(c Config) *Monitor {
	m := &Monitor{Config: c, started: time.Now(), same: sameDisk(c.Data, c.Journal)}
	m.Measure()
	return m
}

// Measure measures the disk.
func (m *Monitor) Measure() {
	m.free.Store(freeBytes(m.Data))
	var size int64
	for _, name := range []string{m.Database, m.Database + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			size += info.Size()
		}
	}
	m.size.Store(size)
}

// Distrust logs a new answer that shows that the settings for WeChat are wrong, at most
// one a call: who asks for one order after the other must not fill the log.
func (m *Monitor) Distrust() {
	f := m.Gateway.Health().Fault
	if f.Kind == "" || !f.At.After(m.distrusted) {
		return
	}
	m.distrusted = f.At
	m.Log.Error("alarm", "kind", correction.WeChatSettings, "fault", f.Kind, "status", f.Status, "code", f.Code, "message", f.Message, "request_id", f.RequestID)
}

// freeBytes is what an ordinary user may still write; -1 when that is not known.
func freeBytes(folder string) int64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return -1
	}
	return int64(s.Bavail) * int64(s.Bsize)
}

func sameDisk(a, b string) bool {
	var x, y syscall.Stat_t
	return syscall.Stat(a, &x) == nil && syscall.Stat(b, &y) == nil && x.Dev == y.Dev
}

// Free is what may still be written to the disk of the database, in bytes; -1 when that
// is not known.
func (m *Monitor) Free() int64 { return m.free.Load() }

// Now is how the console is doing at this moment.
func (m *Monitor) Now() correction.Health {
	out := Of(m.Gateway.Health())
	out.Started = m.started
	out.Free, out.MinFree, out.Database, out.StoreBroken = m.free.Load(), m.MinFree, m.size.Load(), m.Store.Broken()
	out.JournalFolder, out.JournalSame, out.JournalLacks, out.RollbackBlind = m.Journal, m.same, m.JournalLacks, m.RollbackBlind
	if m.Reloaded != nil {
		out.ReloadFault, out.ReloadSince = m.Reloaded()
	}
	out.CheckpointTo, out.PublishedAt, out.PublishFault = m.Published()
	return out
}

// Of is what the gateway alone tells; of the disk nothing is known.
func Of(h wechat.Health) correction.Health {
	return correction.Health{
		Host: h.Host, OnBackup: h.OnBackup, Switched: h.Since, Skew: h.Skew, SkewAt: h.SkewAt, SkewSure: h.SkewSure, SkewUnsigned: h.SkewUnsigned,
		LastAnswer: h.LastAnswer, LastFailure: h.LastFailure, LastFailureCode: h.LastFailureCode, Settings: h.Fault, Free: -1,
	}
}
