package main

import (
	"log/slog"
	"os"
	"slices"

	"correction-console/internal/config"
	"correction-console/internal/console"
)

type serveCommand struct {
	dataFolder
	config.Settings
	AcceptRollback bool `name:"accept-rollback" help:"Start on a record that is older than its checkpoints, once, and put the loss on record. Only a flag; with a journal, use console recover."`
}

func (s *serveCommand) Run() error {
	cfg, problems := s.Check(s.Data)
	gw, more := console.NewGateway(cfg, problems)
	problems = slices.Concat(problems, more, console.CheckTLS(cfg, problems), cfg.CheckExposed(), checkOwner(cfg))
	if len(problems) > 0 {
		return config.Problems(problems)
	}
	lines := newLogWriter(os.Stderr)
	defer lines.flush()
	log := slog.New(slog.NewJSONHandler(lines, nil))
	ctx, stop := untilStopped()
	defer stop()
	keys, err := console.NewKeys(cfg, gw, settingsNow, log)
	if err != nil {
		return err
	}
	defer keys.Stop()
	limitMemory()
	c, err := console.New(ctx, console.Config{Config: cfg, Version: version, Gateway: gw, Keys: keys, Log: log, AcceptRollback: s.AcceptRollback, Alter: plant, Trace: trace, Shared: shared()})
	if err != nil {
		return err
	}
	defer c.Close()
	var l console.Listeners
	if l.Pages, err = console.Listen("CONSOLE_LISTEN", cfg.Listen); err != nil {
		return err
	}
	if cfg.MetricsListen != "" {
		if l.Metrics, err = console.Listen("CONSOLE_METRICS_LISTEN", cfg.MetricsListen); err != nil {
			l.Pages.Close()
			return err
		}
		log.Info("metrics", "address", l.Metrics.Addr().String())
	}
	console.Warn(cfg, l.Pages.Addr(), log)
	log.Info("listening", "address", l.Pages.Addr().String(), "version", version, "api_host", cfg.APIHost, "trusted_proxies", cfg.TrustedProxies, "https", cfg.Secure())
	return c.Run(ctx, l)
}

// settingsNow reads the command line of this process again, with the settings file as it
// is now.
func settingsNow() (config.Config, []config.Problem) {
	var c commands
	if _, err := newParser(&c).Parse(os.Args[1:]); err != nil {
		return config.Config{}, []config.Problem{{Setting: "CONSOLE_SETTINGS", Fix: err.Error()}}
	}
	return c.Serve.Check(c.Serve.Data)
}
