package main

import (
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
}

func newMachine(cfg config.Config, st *store.Store, w way, p *publisher) *machine {
	m := &machine{cfg: cfg, started: time.Now(), store: st, way: w, publish: p}
	m.same = sameDisk(cfg.Data, cfg.Journal)
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
		Host:    h.Host, OnBackup: h.OnBackup, Switched: h.Since, Skew: h.Skew, SkewAt: h.SkewAt,
		LastAnswer: h.LastAnswer, LastFailure: h.LastFailure, LastFailureCode: h.LastFailureCode,
		Free: m.free.Load(), MinFree: m.cfg.MinFree, Database: m.size.Load(), StoreBroken: m.store.Broken(),
		JournalFolder: m.cfg.Journal, JournalSame: m.same,
	}
	if m.keys != nil {
		out.ReloadFault, out.ReloadSince = m.keys.state()
	}
	out.CheckpointTo, out.PublishedAt, out.PublishFault = m.publish.state()
	return out
}
