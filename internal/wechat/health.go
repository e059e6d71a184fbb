package wechat

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"correction-console/internal/correction"
)

// How the main host is probed (domain.md §7, plan 2).
const (
	probes       = 5
	probeLimit   = 3 * time.Second
	probeFailing = 3
)

// Health is how the way to WeChat Pay is.
type Health struct {
	Host     string // the current one, scheme://host
	OnBackup bool
	Since    time.Time // of the last switch; zero = never switched

	// Skew is how far WeChat's clock is ahead of ours (negative: behind), by the middle of
	// the newest answers. SkewSure: there are enough of them to rely on. SkewUnsigned: it
	// rests on an answer's Date, which is not signed.
	Skew         time.Duration
	SkewAt       time.Time // of the newest of them; zero = none in the last half hour
	SkewSure     bool
	SkewUnsigned bool

	LastAnswer time.Time // that was WeChat's, refusals included; zero = never
	// LastFailure is the newest call that did not reach WeChat, whose answer says
	// nothing certain, or that was refused for our settings. Its code is one of
	// correction.Code… or, of a modify call, correction.Cause….
	LastFailure     time.Time
	LastFailureCode string

	// Fault is why the settings are to be looked at; without a kind there is no reason.
	Fault correction.SettingsFault
}

// Health returns how the way to WeChat Pay is now, from memory.
func (g *Gateway) Health() Health {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.health
	middle, sure := g.clock.middle(g.now())
	h.Skew, h.SkewAt, h.SkewSure, h.SkewUnsigned = middle.skew, middle.at, sure, !middle.at.IsZero() && !middle.signed
	h.Host, h.OnBackup = g.hosts[g.on].url, g.on > 0
	return h
}

// Probe makes bare connections to the main host and makes it the current one, or the
// backup when most of them fail. Meant to be called once a minute; without a backup
// host it does nothing.
func (g *Gateway) Probe(ctx context.Context) {
	if len(g.hosts) < 2 {
		return
	}
	failed := 0
	for range probes {
		if g.connect(ctx, g.hosts[0]) != nil {
			failed++
		}
	}
	switch {
	case ctx.Err() != nil: // says nothing about the host
	case failed >= probeFailing:
		g.switchTo(1)
	default:
		g.switchTo(0)
	}
}

// connect opens a connection to a host, TLS included, and closes it.
func (g *Gateway) connect(ctx context.Context, h host) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	conn, err := g.dial(ctx, "tcp", h.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if !h.secure {
		return nil
	}
	secure := g.clients.Load().tls.Clone()
	secure.ServerName, _, _ = net.SplitHostPort(h.address)
	return tls.Client(conn, secure).HandshakeContext(ctx)
}

func (g *Gateway) current() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.on
}

func (g *Gateway) switchTo(on int) {
	g.mu.Lock()
	same := g.on == on
	if !same {
		g.on, g.health.Since = on, g.now()
	}
	g.mu.Unlock()
	if !same && g.switched != nil {
		g.switched(g.hosts[on].url, on > 0)
	}
}

// name is a host as readings and answers name it.
func (g *Gateway) name(on int) string {
	if on == 0 {
		return ""
	}
	return g.hosts[on].url
}

// note keeps what a call tells about the way to WeChat; no code means no failure. A
// caller who went away says nothing about it.
func (g *Gateway) note(ctx context.Context, r reply, code string) {
	now, answered := g.now(), r.wechats()
	g.mu.Lock()
	defer g.mu.Unlock()
	if answered {
		g.health.LastAnswer = now
	}
	g.health.settings(r, now, r.clockOff)
	if code != "" && !errors.Is(ctx.Err(), context.Canceled) {
		g.health.LastFailure, g.health.LastFailureCode = now, code
	}
}
