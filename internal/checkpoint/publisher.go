// Package checkpoint takes signed checkpoints of the record out of the machine and
// compares the record with those that were kept elsewhere: a copy of the whole data
// folder looks right by itself, and only they tell that it is an older one (trust.md
// §4.4).
package checkpoint

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

	"correction-console/internal/correction"
)

// Signer signs the record as it stands; the store does.
type Signer interface {
	Checkpoint(context.Context) (correction.Checkpoint, error)
}

// Publisher writes signed checkpoints to a folder and posts them to an address: only
// outside this machine are they worth something. Safe for concurrent use.
type Publisher struct {
	Folder string // empty: not written
	URL    string // empty: not posted
	signer Signer
	log    *slog.Logger
	client *http.Client

	mu    sync.Mutex
	size  int64 // of the newest one that left; -1 before the first
	at    time.Time
	fault string
}

// NewPublisher returns a publisher to the folder and the address.
func NewPublisher(folder, address string, signer Signer, log *slog.Logger) *Publisher {
	return &Publisher{
		Folder: folder, URL: address, signer: signer, log: log, size: -1,
		client: &http.Client{
			Timeout:       20 * time.Second,
			Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true, TLSHandshakeTimeout: 10 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// State tells where checkpoints go, when the newest one left, and why not.
func (p *Publisher) State() (to string, at time.Time, fault string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	to = p.Folder
	if u, err := url.Parse(p.URL); err == nil && u.Host != "" { // the rest may hold a secret
		to = strings.TrimPrefix(to+", "+u.Host, ", ")
	}
	return to, p.at, p.fault
}

// Run signs a checkpoint now and whenever the time has come, until ctx ends.
func (p *Publisher) Run(ctx context.Context, every time.Duration) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		p.Publish(ctx)
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}

// Publish signs the record as it stands and takes it to where it is kept. One that
// could not leave is told on the pages and tried again with the next one.
func (p *Publisher) Publish(ctx context.Context) {
	c, err := p.signer.Checkpoint(ctx)
	if err != nil {
		if ctx.Err() == nil {
			p.log.Error("sign checkpoint", "err", err)
		}
		return
	}
	if p.Folder == "" && p.URL == "" {
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
func (p *Publisher) write(c correction.Checkpoint) error {
	if p.Folder == "" {
		return nil
	}
	name := filepath.Join(p.Folder, fmt.Sprintf("checkpoint-%012d.txt", c.Size))
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
func (p *Publisher) post(ctx context.Context, c correction.Checkpoint) error {
	if p.URL == "" {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, strings.NewReader(c.Note))
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
