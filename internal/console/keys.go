package console

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"correction-console/internal/config"
	"correction-console/internal/correction"
	"correction-console/internal/wechat"
)

// loadPair reads the TLS certificate with its key, which nobody but its owner may read.
// setting is the one that an error is about.
func loadPair(cfg config.Config) (pair *tls.Certificate, setting string, err error) {
	key, err := wechat.ReadSecret(cfg.TLSKeyFile)
	if err != nil {
		return nil, "CONSOLE_TLS_KEY_FILE", err
	}
	chain, err := os.ReadFile(cfg.TLSCertFile)
	if err != nil {
		return nil, "CONSOLE_TLS_CERT_FILE", err
	}
	p, err := tls.X509KeyPair(chain, key)
	if err == nil && p.Leaf == nil {
		p.Leaf, err = x509.ParseCertificate(p.Certificate[0])
	}
	if err != nil {
		return nil, "CONSOLE_TLS_CERT_FILE", err
	}
	return &p, "", nil
}

// fresh refuses certificates that browsers would refuse today.
func fresh(c *x509.Certificate, now time.Time) error {
	switch {
	case now.After(c.NotAfter):
		return fmt.Errorf("the certificate expired at %s", c.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(c.NotBefore):
		return fmt.Errorf("the certificate is not valid before %s", c.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// Keys are the TLS pair and WeChat's keys of a console that runs. They are read again
// when asked (SIGHUP), and taken together: if one is wrong, all old ones stay.
type Keys struct {
	settings func() (config.Config, []config.Problem) // as they are now
	gateway  *wechat.Gateway
	log      *slog.Logger
	asked    chan os.Signal
	pair     atomic.Pointer[tls.Certificate]

	mu    sync.Mutex
	fault string
	since time.Time
}

// NewKeys holds the keys that the console starts with, and takes signals from now on:
// one that comes during the start must not end it. settings reads the settings as they
// are at that time.
func NewKeys(cfg config.Config, g *wechat.Gateway, settings func() (config.Config, []config.Problem), log *slog.Logger) (*Keys, error) {
	k := &Keys{settings: settings, gateway: g, log: log, asked: make(chan os.Signal, 1)}
	if cfg.TLS() {
		pair, setting, err := loadPair(cfg)
		if err != nil {
			return nil, config.Usage(fmt.Errorf("%s: %w", setting, err))
		}
		if err := fresh(pair.Leaf, time.Now()); err != nil { // served all the same: a restart must not end what still worked
			log.Warn("TLS certificate", "setting", "CONSOLE_TLS_CERT_FILE", "path", cfg.TLSCertFile, "err", err)
		}
		k.pair.Store(pair)
	}
	signal.Notify(k.asked, syscall.SIGHUP)
	return k, nil
}

// watch reads the keys again whenever a signal asks for it, until ctx ends.
func (k *Keys) watch(ctx context.Context) {
	for {
		select {
		case <-k.asked:
			k.reload()
		case <-ctx.Done():
			return
		}
	}
}

// Stop leaves signals alone from now on: what is still under way at the end must not be
// cut by one, so they are ignored.
func (k *Keys) Stop() { signal.Ignore(syscall.SIGHUP) }

// certificate is for tls.Config.GetCertificate.
func (k *Keys) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if p := k.pair.Load(); p != nil {
		return p, nil
	}
	return nil, errors.New("no certificate")
}

// state tells why the newest keys are not in use, and since when; empty when they are.
func (k *Keys) state() (fault string, since time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.fault, k.since
}

// reload reads the keys again and puts them in the place of those in use. Calls that are
// under way end with those that they began with.
func (k *Keys) reload() {
	err := k.take()
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		text := strings.ReplaceAll(err.Error(), "\n", "; ")
		if k.fault == "" {
			k.since = time.Now()
		}
		k.fault = text
		k.log.Error("alarm", "kind", correction.ReloadFailed, "on", true, "err", text)
		return
	}
	if k.fault != "" {
		k.log.Info("alarm", "kind", correction.ReloadFailed, "on", false)
	}
	k.fault, k.since = "", time.Time{}
	k.log.Info("keys read again", "tls", k.pair.Load() != nil)
}

func (k *Keys) take() error {
	cfg, problems := k.settings()
	w, more := wechatConfig(cfg, problems)
	problems = append(problems, more...)
	var pair *tls.Certificate
	if old := k.pair.Load(); old != nil {
		switch {
		case cfg.TLSCertFile == "" || cfg.TLSKeyFile == "":
			problems = append(problems, config.Problem{Setting: "CONSOLE_TLS_CERT_FILE", Fix: "the console was started with a certificate: start it again to serve plain http"})
		case config.Names(problems, "CONSOLE_TLS_CERT_FILE") || config.Names(problems, "CONSOLE_TLS_KEY_FILE"):
		default:
			p, setting, err := loadPair(cfg)
			if err == nil {
				setting, err = "CONSOLE_TLS_CERT_FILE", fresh(p.Leaf, time.Now())
			}
			if err != nil {
				problems = append(problems, config.Problem{Setting: setting, Fix: err.Error()})
			}
			pair = p
		}
	}
	if n := len(w.PlatformCerts); n > 0 {
		var last error
		good := false
		for _, c := range w.PlatformCerts { // an old one beside a new one is how they are changed
			if err := fresh(c, time.Now()); err != nil {
				last = err
			} else {
				good = true
			}
		}
		if !good {
			problems = append(problems, config.Problem{Setting: "CONSOLE_WECHAT_PLATFORM_CERT_FILES", Fix: last.Error()})
		}
	}
	if len(problems) > 0 {
		return config.Problems(problems)
	}
	if err := k.gateway.Rekey(w); err != nil {
		return err
	}
	if pair != nil {
		k.pair.Store(pair)
	}
	return nil
}

// CheckTLS reads the certificate before serving, so that a fault is told at once.
func CheckTLS(cfg config.Config, known []config.Problem) []config.Problem {
	if cfg.TLSCertFile == "" || cfg.TLSKeyFile == "" || config.Names(known, "CONSOLE_TLS_CERT_FILE") || config.Names(known, "CONSOLE_TLS_KEY_FILE") {
		return nil
	}
	_, setting, err := loadPair(cfg)
	if err != nil {
		return []config.Problem{{Setting: setting, Value: map[bool]string{true: cfg.TLSKeyFile, false: cfg.TLSCertFile}[setting == "CONSOLE_TLS_KEY_FILE"], Fix: err.Error()}}
	}
	return nil
}
