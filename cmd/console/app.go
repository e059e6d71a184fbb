package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/changelog"
	"correction-console/internal/config"
	"correction-console/internal/correction"
	"correction-console/internal/dayclose"
	"correction-console/internal/handlers"
	"correction-console/internal/insights"
	"correction-console/internal/journal"
	"correction-console/internal/ledger"
	"correction-console/internal/notify"
	"correction-console/internal/store"
	"correction-console/internal/wechat"
)

// usageError is a fault of the command line or the settings: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// lines are the lines in which an error is told.
func lines(err error) []string { return strings.Split(strings.TrimSpace(err.Error()), "\n") }

// settingsError tells every problem of the settings, a line each.
func settingsError(problems []config.Problem) error {
	var all []string
	for _, p := range problems {
		if line := p.String(); !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return usageError{errors.New(strings.Join(all, "\n"))}
}

func makeFolder(data string) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("CONSOLE_DATA=%q: the folder cannot be made: %w", data, err)
	}
	return nil
}

// openStore opens the database of the data folder, making both when they are
// missing.
func openStore(ctx context.Context, data string) (*store.Store, error) {
	if err := refuseForeign(data); err != nil {
		return nil, err
	}
	if err := makeFolder(data); err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, config.DatabasePath(data))
	if err != nil {
		return nil, fmt.Errorf("CONSOLE_DATA=%q: %w", data, err)
	}
	return st, nil
}

// app is a running console.
type app struct {
	cfg       config.Config
	store     *store.Store
	journal   *journal.Journal
	service   *correction.Service
	insights  *insights.Service
	machine   *machine
	publish   *publisher
	mark      *highWater
	notify    *notify.Notifier // nil: nobody is told
	server    *http.Server
	metrics   http.Handler
	metricsAt net.Listener // nil: they have no listener of their own
	keys      *keys        // nil: there are no files to read again
	log       *slog.Logger
}

// appOptions is what the demo does differently.
type appOptions struct {
	gateway way
	demoURL string
	keys    *keys
	log     *slog.Logger
	// acceptRollback puts on record that part of the record is lost.
	acceptRollback bool
}

// newApp puts the parts together. The caller closes the store; run closes the rest.
func newApp(st *store.Store, cfg config.Config, o appOptions) (*app, error) {
	keyFile := cfg.SessionKeyFile
	if keyFile == "" {
		keyFile = filepath.Join(cfg.Data, "session.key")
	}
	secret, err := auth.LoadOrCreateKey(keyFile)
	if err != nil {
		return nil, usageError{fmt.Errorf("CONSOLE_SESSION_KEY_FILE=%q: %w", keyFile, err)}
	}
	keys, err := auth.DeriveKeys(secret)
	if err != nil {
		return nil, usageError{err}
	}
	signer, err := ledger.LoadOrCreateKey(cfg.CheckpointKeyFile)
	if err != nil {
		return nil, usageError{fmt.Errorf("CONSOLE_CHECKPOINT_KEY_FILE=%q: %w", cfg.CheckpointKeyFile, err)}
	}
	st.SetSigner(signer)
	if err := behind(context.Background(), st, cfg.Journal); err != nil {
		return nil, err
	}
	if err := rolledBack(context.Background(), st, cfg, signer.VerifierKey(), o.acceptRollback, o.log); err != nil {
		return nil, err
	}
	lacks, err := journalLacks(context.Background(), st, cfg.Journal)
	if err != nil {
		return nil, err
	}
	if lacks {
		o.log.Error("alarm", "kind", correction.JournalMissing, "folder", cfg.Journal)
	}
	second, err := journal.Open(cfg.Journal, time.Now)
	if err != nil {
		return nil, usageError{fmt.Errorf("CONSOLE_JOURNAL=%q: %w", cfg.Journal, err)}
	}
	publish := newPublisher(cfg, st, o.log)
	machine := newMachine(cfg, st, o.gateway, publish)
	machine.journalLacks, machine.keys = lacks, o.keys
	service := &correction.Service{
		Store: st, Gateway: o.gateway, Journal: second, Policy: policyOf(cfg), Key: keys.Confirm, Now: time.Now, Log: o.log, Machine: machine.now, Zone: cfg.Zone,
	}
	service.Lookups.PerMinute = cfg.LookupsPerMinute
	tell := newNotifier(cfg, st, o.log)
	if tell != nil {
		service.Submitted = tell.Submitted
	}
	if err := plant(service, st); err != nil {
		return nil, err
	}
	sessions := auth.NewSessions(st, keys, cfg.Secure(), time.Now, o.log)
	web := handlers.Config{
		Corrections: service, Sessions: sessions, Preferences: st.SetPreferences,
		ChangeLog: changelog.New(st, service, time.Now), Insights: insights.New(st), DayClose: dayclose.New(st, service, time.Now, o.log),
		SignIn: auth.NewAuthenticator(st, auth.NewHasher(), sessions, keys, time.Now, o.log), Ready: st.Ping, Audit: st.AppendAudit, Log: o.log, Now: time.Now, Zone: cfg.Zone,
		Version: version, Prove: st.Proof, Checkpoint: st.Checkpoint, VerifierKey: signer.VerifierKey(), PublicURL: cfg.PublicURL, Proxies: cfg.TrustedProxies, Secure: cfg.Secure(), Exposed: cfg.Exposed(), MetricsToken: cfg.MetricsToken, DemoURL: o.demoURL,
	}
	handler, err := handlers.New(web)
	if err != nil {
		second.Close()
		return nil, usageError{fmt.Errorf("CONSOLE_PUBLIC_URL: %w", err)}
	}
	return &app{
		cfg: cfg, store: st, journal: second, service: service, insights: web.Insights, machine: machine, publish: publish, mark: newHighWater(st, cfg.Journal, o.log), notify: tell, keys: o.keys,
		server: handlers.NewHTTPServer(handler, o.log, handlers.AnswerWithin(cfg.Timeout)), metrics: handlers.NewMetrics(web), log: o.log,
	}, nil
}

// newNotifier tells the robot of the settings about approvals; nil when there is none.
func newNotifier(cfg config.Config, st *store.Store, log *slog.Logger) *notify.Notifier {
	if cfg.WebhookURL == "" {
		return nil
	}
	link := ""
	if cfg.PublicURL != nil {
		link = cfg.PublicURL.JoinPath("approvals").String()
	}
	all := correction.Scope{All: true}
	return notify.New(notify.Config{
		URL: cfg.WebhookURL, Format: cfg.WebhookFormat, Secret: cfg.WebhookSecret, Link: link, Now: time.Now, Zone: cfg.Zone, Log: log,
		Waiting: func(ctx context.Context) (int, time.Time, error) {
			oldest, err := st.Awaiting(ctx, all, 1)
			if err != nil || len(oldest) == 0 {
				return 0, time.Time{}, err
			}
			count, err := st.AwaitingCount(ctx, all, time.Time{})
			return count, oldest[0].ChangedAt, err
		},
	})
}

// policyOf is the policy of the settings.
func policyOf(cfg config.Config) correction.Policy {
	p := correction.DefaultPolicy()
	p.Quiet, p.Recheck, p.FollowFor = cfg.Quiet, cfg.Recheck, cfg.FollowFor
	return p
}

// gateway builds the way to WeChat Pay from the settings, telling every problem of
// their files at once.
// Settings that are known to be wrong are left alone.
func gateway(cfg config.Config, known []config.Problem) (*wechat.Gateway, []config.Problem) {
	w, problems := wechatConfig(cfg, known)
	if len(problems) > 0 || len(known) > 0 {
		return nil, problems
	}
	g, err := wechat.New(w)
	if err != nil {
		problems = append(problems, config.Problem{Setting: "CONSOLE_WECHAT_API_HOST", Value: cfg.APIHost, Fix: err.Error()})
	}
	return g, problems
}

// wechatConfig reads the files of WeChat's keys.
func wechatConfig(cfg config.Config, known []config.Problem) (wechat.Config, []config.Problem) {
	var problems []config.Problem
	note := func(setting, path string, err error) {
		if err != nil && !names(known, setting) {
			problems = append(problems, config.Problem{Setting: setting, Value: path, Fix: err.Error()})
		}
	}
	w := wechat.Config{Host: cfg.APIHost, BackupHost: cfg.BackupHost, MchID: cfg.MchID, CertSerial: cfg.CertSerial, Timeout: cfg.Timeout, Now: time.Now}
	var err error
	if cfg.PrivateKeyFile != "" {
		w.PrivateKey, err = wechat.LoadPrivateKey(cfg.PrivateKeyFile)
		note("CONSOLE_WECHAT_PRIVATE_KEY_FILE", cfg.PrivateKeyFile, err)
	}
	if cfg.PublicKeyFile != "" {
		w.PublicKeyID = cfg.PublicKeyID
		w.PublicKey, err = wechat.LoadPublicKey(cfg.PublicKeyFile)
		note("CONSOLE_WECHAT_PUBLIC_KEY_FILE", cfg.PublicKeyFile, err)
	}
	if len(cfg.PlatformCertFiles) > 0 {
		w.PlatformCerts, err = wechat.LoadCertificates(cfg.PlatformCertFiles)
		note("CONSOLE_WECHAT_PLATFORM_CERT_FILES", strings.Join(cfg.PlatformCertFiles, ","), err)
	}
	if cfg.CAFile != "" {
		w.CA, err = wechat.LoadCA(cfg.CAFile)
		note("CONSOLE_WECHAT_CA_FILE", cfg.CAFile, err)
	}
	ownKey, ownCertificate := w.OwnKeys()
	note("CONSOLE_WECHAT_PUBLIC_KEY_FILE", cfg.PublicKeyFile, ownKey)
	note("CONSOLE_WECHAT_PLATFORM_CERT_FILES", strings.Join(cfg.PlatformCertFiles, ","), ownCertificate)
	return w, problems
}

func names(problems []config.Problem, setting string) bool {
	return slices.ContainsFunc(problems, func(p config.Problem) bool { return p.Setting == setting })
}

// untilStopped is a context that ends when a signal asks to stop. A reader of the log
// who goes away does not stop anything.
func untilStopped() (context.Context, context.CancelFunc) {
	signal.Ignore(syscall.SIGPIPE)
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

// exitRestart is the exit code that asks to be started again: the disk failed, and
// only a new start tells what is really on it.
const exitRestart = 75

// restartError ends the program with exitRestart.
type restartError struct{ error }

// brokenEvery is how often the disk is looked at.
const brokenEvery = 5 * time.Second

// metricsConnections is how many connections the listener of the metrics takes.
const metricsConnections = 16

// run serves until ctx ends, then finishes what is under way. What an earlier stop
// left open is settled beside the first requests: the order of an open correction is
// held until then.
func (a *app) run(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer a.journal.Close()
	l = handlers.Limit(l, a.cfg.TrustedProxies, a.cfg.Connections, a.cfg.ConnectionsPerAddress, a.log)
	served := make(chan error, 2)
	go func() {
		if a.cfg.TLS() {
			a.server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: a.keys.certificate}
			served <- a.server.ServeTLS(l, "", "")
		} else {
			served <- a.server.Serve(l)
		}
	}()
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	if a.metricsAt != nil {
		watched := handlers.NewHTTPServer(a.metrics, a.log, time.Minute)
		defer watched.Close()
		go func() {
			served <- watched.Serve(handlers.Limit(a.metricsAt, nil, metricsConnections, metricsConnections, a.log))
		}()
	}
	if a.keys != nil {
		background.Go(func() { a.keys.watch(ctx) })
	}
	background.Go(func() { a.lookAfter(ctx) })
	background.Go(func() { a.publish.run(ctx, a.cfg.CheckpointInterval) })
	if a.notify != nil {
		background.Go(func() { a.notify.Run(ctx) })
	}
	if p, ok := a.service.Gateway.(interface{ Probe(context.Context) }); ok && a.cfg.BackupHost != "" {
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
			a.tidy(ctx)
		case <-disk.C:
			a.machine.look()
			a.mark.write(ctx)
			a.machine.distrust(a.log)
			if refuses := a.service.Refuses(); (refuses != "") != low {
				low = refuses != ""
				a.log.Error("alarm", "kind", refuses, "on", low, "free", a.machine.free.Load())
			}
			if a.store.Broken() {
				cancel()
				return errors.Join(restartError{errors.New("the disk of the database failed")}, a.stop())
			}
		case <-ctx.Done():
			a.log.Info("stopping")
			return a.stop()
		}
	}
}

// lastCheckpoint is how long a stop waits for the last checkpoint to leave.
const lastCheckpoint = 3 * time.Second

// stop finishes what is under way: a confirmation's outcome must be recorded.
func (a *app) stop() error {
	drain, cancel := context.WithTimeout(context.Background(), handlers.AnswerWithin(a.cfg.Timeout))
	defer cancel()
	err := a.server.Shutdown(drain)
	if perr := a.service.RecordPending(context.Background()); perr != nil {
		a.log.Error("outcomes are not on record", "err", perr)
	}
	// What a copy made after the stop is compared with.
	last, cancel := context.WithTimeout(context.Background(), lastCheckpoint)
	defer cancel()
	a.mark.write(last)
	a.publish.publish(last)
	return err
}

// lookAfter settles what a stop left open and looks after corrections until ctx ends.
// It never gives up silently.
func (a *app) lookAfter(ctx context.Context) {
	for ctx.Err() == nil {
		err := a.service.Recover(context.WithoutCancel(ctx)) // a stop meanwhile is no fault
		a.void(context.WithoutCancel(ctx))
		if err == nil {
			err = a.service.StartWatch(ctx)
		}
		if err == nil {
			a.service.Watch(ctx)
			return
		}
		a.log.Error("corrections are not looked after", "err", err)
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
func (a *app) void(ctx context.Context) {
	if err := a.service.VoidUnpermitted(ctx); err != nil {
		a.log.Error("void corrections", "err", err)
	}
}

// tidy does what has to be done now and then.
func (a *app) tidy(ctx context.Context) {
	if err := a.service.ExpireOverdue(ctx); err != nil {
		a.log.Error("expire corrections", "err", err)
	}
	a.void(ctx)
	if err := a.service.RecordPending(ctx); err != nil {
		a.log.Error("record outcomes", "err", err)
	}
	if err := a.service.EndWaits(ctx); err != nil {
		a.log.Error("put into force what waited", "err", err)
	}
	if err := a.insights.RollUp(ctx); err != nil {
		a.log.Error("prepare figures", "err", err)
	}
	now := time.Now()
	if _, err := a.store.PruneAttempts(ctx, now.Add(-keepAttempts)); err != nil {
		a.log.Error("prune sign-in attempts", "err", err)
	}
	if _, err := a.store.PruneDrafts(ctx, now.Add(-keepDrafts)); err != nil {
		a.log.Error("prune drafts", "err", err)
	}
	if err := a.store.PruneLooks(ctx, now.Add(-keepLooks)); err != nil {
		a.log.Error("prune when forms were opened", "err", err)
	}
}

// warnPlain warns when people's passwords would cross a network in the open.
func warnPlain(cfg config.Config, at net.Addr, log *slog.Logger) {
	tcp, ok := at.(*net.TCPAddr)
	if cfg.Exposed() {
		log.Warn("plain http beyond this machine, as --insecure-http asks: passwords and sessions cross the network in the open", "address", at.String())
	} else if ok && !tcp.IP.IsLoopback() && !cfg.Secure() {
		log.Warn("plain http on a network address: set CONSOLE_TLS_CERT_FILE, or CONSOLE_PUBLIC_URL to the https address of a proxy", "address", at.String())
	}
}

// warnBlind warns when nothing could tell that an older copy of the data folder took its
// place.
func warnBlind(cfg config.Config, log *slog.Logger) {
	if rollbackBlind(cfg) {
		log.Warn("an older copy of the data folder would not be noticed: put CONSOLE_JOURNAL or CONSOLE_CHECKPOINT_FOLDER elsewhere", "data", cfg.Data)
	}
}

// listen opens the address; a taken port is told with its setting.
func listen(setting, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("%s=%q: the port is taken by another program", setting, address)
		}
		return nil, fmt.Errorf("%s=%q: %w", setting, address, err)
	}
	return l, nil
}

// checkTLS reads the certificate before serving, so that a fault is told at once.
func checkTLS(cfg config.Config, known []config.Problem) []config.Problem {
	if cfg.TLSCertFile == "" || cfg.TLSKeyFile == "" || names(known, "CONSOLE_TLS_CERT_FILE") || names(known, "CONSOLE_TLS_KEY_FILE") {
		return nil
	}
	_, setting, err := loadPair(cfg)
	if err != nil {
		return []config.Problem{{Setting: setting, Value: map[bool]string{true: cfg.TLSKeyFile, false: cfg.TLSCertFile}[setting == "CONSOLE_TLS_KEY_FILE"], Fix: err.Error()}}
	}
	return nil
}
