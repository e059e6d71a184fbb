package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"correction-console/internal/config"
	"correction-console/internal/correction"
	"correction-console/internal/store"
)

// publisher takes signed checkpoints of the record out of the machine: only there are
// they worth something (trust.md §4.4).
type publisher struct {
	folder string
	url    string
	store  *store.Store
	log    *slog.Logger
	client *http.Client

	mu    sync.Mutex
	size  int64 // of the newest one that left; -1 before the first
	at    time.Time
	fault string
}

func newPublisher(cfg config.Config, st *store.Store, log *slog.Logger) *publisher {
	return &publisher{
		folder: cfg.CheckpointFolder, url: cfg.CheckpointURL, store: st, log: log, size: -1,
		client: &http.Client{
			Timeout:       20 * time.Second,
			Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true, TLSHandshakeTimeout: 10 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// state tells where checkpoints go, when the newest one left, and why not.
func (p *publisher) state() (to string, at time.Time, fault string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	to = p.folder
	if u, err := url.Parse(p.url); err == nil && u.Host != "" { // the rest may hold a secret
		to = strings.TrimPrefix(to+", "+u.Host, ", ")
	}
	return to, p.at, p.fault
}

// run signs a checkpoint now and whenever the time has come, until ctx ends.
func (p *publisher) run(ctx context.Context, every time.Duration) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		p.publish(ctx)
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}

// publish signs the record as it stands and takes it to where it is kept. One that
// could not leave is told on the pages and tried again with the next one.
func (p *publisher) publish(ctx context.Context) {
	c, err := p.store.Checkpoint(ctx)
	if err != nil {
		if ctx.Err() == nil {
			p.log.Error("sign checkpoint", "err", err)
		}
		return
	}
	if p.folder == "" && p.url == "" {
		return
	}
	p.mu.Lock()
	known := p.size == c.Size && p.fault == ""
	p.mu.Unlock()
	if known {
		return
	}
	err = errors.Join(p.write(c), p.post(ctx, c))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = ""
	if err != nil {
		p.fault = strings.ReplaceAll(err.Error(), "\n", "; ")
		p.log.Error("alarm", "kind", correction.Unpublished, "size", c.Size, "err", p.fault)
		return
	}
	p.size, p.at = c.Size, time.Now()
}

// write puts the checkpoint into a file of its own, whole or not at all.
func (p *publisher) write(c correction.Checkpoint) error {
	if p.folder == "" {
		return nil
	}
	name := filepath.Join(p.folder, fmt.Sprintf("checkpoint-%012d.txt", c.Size))
	have, err := os.ReadFile(name)
	if err == nil && string(have) != c.Note { // of what the record was before an older copy took its place
		sum := sha256.Sum256([]byte(c.Note))
		name = strings.TrimSuffix(name, ".txt") + fmt.Sprintf("-%x.txt", sum[:4])
		have, err = os.ReadFile(name)
	}
	if err == nil && string(have) == c.Note {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	if err := replaceFile(name, []byte(c.Note), 0o644); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	return nil
}

// post sends the checkpoint's text. The address may hold a secret and is not named in
// errors.
func (p *publisher) post(ctx context.Context, c correction.Checkpoint) error {
	if p.url == "" {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, strings.NewReader(c.Note))
	if err != nil {
		return errors.New("post checkpoint: the address cannot be used")
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	res, err := p.client.Do(req)
	if err != nil {
		return errors.New("post checkpoint: no answer")
	}
	res.Body.Close()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("post checkpoint: answer %d", res.StatusCode)
	}
	return nil
}
