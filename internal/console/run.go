package console

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"correction-console/internal/handlers"
)

// ErrRestart asks to be started again: the disk failed, and only a new start tells what is
// really on it.
var ErrRestart = errors.New("the disk of the database failed")

// brokenEvery is how often the disk is looked at.
const brokenEvery = 5 * time.Second

// metricsConnections is how many connections the listener of the metrics takes.
const metricsConnections = 16

// Listeners are the sockets that a console serves. Run closes them.
type Listeners struct {
	Pages   net.Listener
	Metrics net.Listener // nil: the metrics have no listener of their own
}

// Run serves until ctx ends, then finishes what is under way. What an earlier stop left
// open is reconciled beside the first requests: the order of an open correction is held
// until then. ErrRestart when the disk failed.
func (c *Console) Run(ctx context.Context, l Listeners) error {
	ctx, cancel := context.WithCancel(ctx)
	pages := handlers.Limit(l.Pages, c.cfg.TrustedProxies, c.cfg.Connections, c.cfg.ConnectionsPerAddress, c.log)
	server := handlers.NewHTTPServer(c.Handler, c.log, handlers.AnswerWithin(c.cfg.Timeout))
	served := make(chan error, 2)
	go func() {
		if c.cfg.TLS() {
			server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.cfg.Keys.certificate}
			served <- server.ServeTLS(pages, "", "")
		} else {
			served <- server.Serve(pages)
		}
	}()
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	if l.Metrics != nil {
		metrics := handlers.NewHTTPServer(handlers.NewMetrics(c.Web), c.log, time.Minute)
		defer metrics.Close()
		go func() {
			served <- metrics.Serve(handlers.Limit(l.Metrics, nil, metricsConnections, metricsConnections, c.log))
		}()
	}
	if c.cfg.Keys != nil {
		background.Go(func() { c.cfg.Keys.watch(ctx) })
	}
	background.Go(func() { c.reconcile(ctx) })
	background.Go(func() { c.publisher.Run(ctx, c.cfg.CheckpointInterval) })
	if c.notifier != nil {
		background.Go(func() { c.notifier.Run(ctx) })
	}
	if p, ok := c.Service.Gateway.(interface{ Probe(context.Context) }); ok && c.cfg.BackupHost != "" {
		background.Go(func() { every(ctx, time.Minute, func() { p.Probe(ctx) }) })
	}
	housekeeping := time.NewTicker(time.Minute)
	defer housekeeping.Stop()
	disk := time.NewTicker(brokenEvery)
	defer disk.Stop()
	low := false
	for {
		select {
		case err := <-served:
			return fmt.Errorf("serve: %w", err)
		case <-housekeeping.C:
			c.tidy(ctx)
		case <-disk.C:
			c.health.Measure()
			c.mark.Write(ctx)
			c.health.Distrust()
			if refuses := c.Service.Refuses(); (refuses != "") != low {
				low = refuses != ""
				c.log.Error("alarm", "kind", refuses, "on", low, "free", c.health.Free())
			}
			if c.Store.Broken() {
				cancel()
				return errors.Join(ErrRestart, c.stop(server))
			}
		case <-ctx.Done():
			c.log.Info("stopping")
			return c.stop(server)
		}
	}
}

// lastCheckpoint is how long a stop waits for the last checkpoint to leave.
const lastCheckpoint = 3 * time.Second

// stop finishes what is under way: a confirmation's outcome must be recorded.
func (c *Console) stop(server *http.Server) error {
	drain, cancel := context.WithTimeout(context.Background(), handlers.AnswerWithin(c.cfg.Timeout))
	defer cancel()
	err := server.Shutdown(drain)
	if perr := c.Service.RecordPending(context.Background()); perr != nil {
		c.log.Error("outcomes are not on record", "err", perr)
	}
	// What a copy made after the stop is compared with.
	last, cancel := context.WithTimeout(context.Background(), lastCheckpoint)
	defer cancel()
	c.mark.Write(last)
	c.publisher.Publish(last)
	return err
}

// reconcile settles what a stop left open and looks after corrections until ctx ends.
// It never gives up silently.
func (c *Console) reconcile(ctx context.Context) {
	for ctx.Err() == nil {
		err := c.Service.Recover(context.WithoutCancel(ctx)) // a stop meanwhile is no fault
		c.void(context.WithoutCancel(ctx))
		if err == nil {
			err = c.Service.StartReconciling(ctx)
		}
		if err == nil {
			c.Service.Reconcile(ctx)
			return
		}
		c.log.Error("corrections are not looked after", "err", err)
		select {
		case <-time.After(brokenEvery):
		case <-ctx.Done():
		}
	}
}

// every calls f at once and then every so often until ctx ends.
func every(ctx context.Context, d time.Duration, f func()) {
	ticks := time.NewTicker(d)
	defer ticks.Stop()
	for {
		f()
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}

// Life of what is no record.
const (
	keepAttempts = 24 * time.Hour
	keepDrafts   = 30 * 24 * time.Hour
	keepLooks    = 48 * time.Hour
)

// void voids what waits and is no longer permitted, whoever edited what.
func (c *Console) void(ctx context.Context) {
	if err := c.Service.VoidUnpermitted(ctx); err != nil {
		c.log.Error("void corrections", "err", err)
	}
}

// tidy does what has to be done now and then.
func (c *Console) tidy(ctx context.Context) {
	if err := c.Service.ExpireOverdue(ctx); err != nil {
		c.log.Error("expire corrections", "err", err)
	}
	c.void(ctx)
	if err := c.Service.RecordPending(ctx); err != nil {
		c.log.Error("record outcomes", "err", err)
	}
	if err := c.Service.EndWaits(ctx); err != nil {
		c.log.Error("put into force what waited", "err", err)
	}
	if err := c.Web.Insights.RollUp(ctx); err != nil {
		c.log.Error("prepare figures", "err", err)
	}
	now := time.Now()
	if _, err := c.Store.PruneAttempts(ctx, now.Add(-keepAttempts)); err != nil {
		c.log.Error("prune sign-in attempts", "err", err)
	}
	if _, err := c.Store.PruneDrafts(ctx, now.Add(-keepDrafts)); err != nil {
		c.log.Error("prune drafts", "err", err)
	}
	if err := c.Store.PruneLooks(ctx, now.Add(-keepLooks)); err != nil {
		c.log.Error("prune when forms were opened", "err", err)
	}
}
