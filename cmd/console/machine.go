package main

import (
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"correction-console/internal/config"
	"correction-console/internal/correction"
	"correction-console/internal/store"
	"correction-console/internal/wechat"
)

// way is the way to WeChat Pay with what it knows of itself.
type way interface {
	correction.Gateway
	Health() wechat.Health
}

// machine tells how the console itself is doing.
type machine struct {
	cfg     config.Config
	started time.Time
	store   *store.Store
	way     way
	publish *publisher
	keys    *keys // nil: there are no files to read again
	free    atomic.Int64
	size    atomic.Int64
	same    bool
	// journalLacks: corrections were sent that the journal did not know at the start.
	journalLacks bool
	blind        bool
	distrusted   time.Time // of the newest fault that was logged
}

func newMachine(cfg config.Config, st *store.Store, w way, p *publisher) *machine {
	m := &machine{cfg: cfg, started: time.Now(), store: st, way: w, publish: p}
	m.same, m.blind = sameDisk(cfg.Data, cfg.Journal), rollbackBlind(cfg)
	m.look()
	return m
}

// look measures the disk.
func (m *machine) look() {
	m.free.Store(freeBytes(m.cfg.Data))
	var size int64
	for _, name := range []string{config.DatabasePath(m.cfg.Data), config.DatabasePath(m.cfg.Data) + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			size += info.Size()
		}
	}
	m.size.Store(size)
}

// distrust logs a new answer that shows that the settings for WeChat are wrong, at most
// one a look: who asks for one order after the other must not fill the log.
func (m *machine) distrust(log *slog.Logger) {
	f := m.way.Health().Fault
	if f.Kind == "" || !f.At.After(m.distrusted) {
		return
	}
	m.distrusted = f.At
	log.Error("alarm", "kind", correction.WeChatSettings, "fault", f.Kind, "status", f.Status, "code", f.Code, "message", f.Message, "request_id", f.RequestID)
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

func (m *machine) now() correction.Machine {
	h := m.way.Health()
	out := correction.Machine{
		Started: m.started,
		Host:    h.Host, OnBackup: h.OnBackup, Switched: h.Since, Skew: h.Skew, SkewAt: h.SkewAt, SkewSure: h.SkewSure, SkewUnsigned: h.SkewUnsigned,
		LastAnswer: h.LastAnswer, LastFailure: h.LastFailure, LastFailureCode: h.LastFailureCode, Settings: h.Fault,
		Free: m.free.Load(), MinFree: m.cfg.MinFree, Database: m.size.Load(), StoreBroken: m.store.Broken(),
		JournalFolder: m.cfg.Journal, JournalSame: m.same, JournalLacks: m.journalLacks, RollbackBlind: m.blind,
	}
	if m.keys != nil {
		out.ReloadFault, out.ReloadSince = m.keys.state()
	}
	out.CheckpointTo, out.PublishedAt, out.PublishFault = m.publish.state()
	return out
}
