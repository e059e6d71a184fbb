package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"correction-console/internal/config"
	"correction-console/internal/store"
)

type serveCommand struct {
	dataFolder
	config.Settings
	AcceptRollback bool `name:"accept-rollback" help:"Start on a record that is older than its checkpoints, once, and put the loss on record. Only a flag; with a journal, use console recover."`
}

func (s *serveCommand) Run() error {
	cfg, problems := s.Check(s.Data)
	gw, more := gateway(cfg, problems)
	problems = slices.Concat(problems, more, checkTLS(cfg, problems), cfg.CheckExposed(), checkOwner(cfg))
	if len(problems) > 0 {
		return settingsError(problems)
	}
	lines := newLogWriter(os.Stderr)
	defer lines.flush()
	log := slog.New(slog.NewJSONHandler(lines, nil))
	ctx, stop := untilStopped()
	defer stop()
	held, err := newKeys(cfg, gw, log)
	if err != nil {
		return err
	}
	defer held.stop()
	limitMemory()
	unlock, err := lock(cfg.Data)
	if err != nil {
		return err
	}
	defer unlock() // after the store is closed
	st, err := openStore(ctx, cfg.Data)
	if err != nil {
		return err
	}
	defer st.Close()
	a, err := newApp(st, cfg, appOptions{gateway: gw, keys: held, log: log, acceptRollback: s.AcceptRollback})
	if err != nil {
		return err
	}
	l, err := listen("CONSOLE_LISTEN", cfg.Listen)
	if err != nil {
		return err
	}
	if cfg.MetricsListen != "" {
		if a.metricsAt, err = listen("CONSOLE_METRICS_LISTEN", cfg.MetricsListen); err != nil {
			l.Close()
			return err
		}
		log.Info("metrics", "address", a.metricsAt.Addr().String())
	}
	warnPlain(cfg, l.Addr(), log)
	warnBlind(cfg, log)
	warnOpen(cfg, log)
	log.Info("listening", "address", l.Addr().String(), "version", version, "api_host", cfg.APIHost, "trusted_proxies", cfg.TrustedProxies, "https", cfg.Secure())
	return a.run(ctx, l)
}

// lock makes sure that one console serves a data folder.
func lock(data string) (func() error, error) {
	if err := refuseForeign(data); err != nil {
		return nil, err
	}
	if err := makeFolder(data); err != nil {
		return nil, err
	}
	if shared() {
		return func() error { return nil }, nil
	}
	unlock, err := store.Lock(filepath.Join(data, "console.lock"))
	if errors.Is(err, store.ErrLocked) {
		return nil, fmt.Errorf("CONSOLE_DATA=%q: another console serves this folder", data)
	}
	return unlock, err
}
