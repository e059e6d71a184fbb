// Package console is the composition root: it makes the parts of a console from the
// settings, runs them and ends them. Every program and every test that needs a whole
// console gets it here.
package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/changelog"
	"correction-console/internal/checkpoint"
	"correction-console/internal/config"
	"correction-console/internal/correction"
	"correction-console/internal/dayclose"
	"correction-console/internal/handlers"
	"correction-console/internal/health"
	"correction-console/internal/insights"
	"correction-console/internal/journal"
	"correction-console/internal/ledger"
	"correction-console/internal/notify"
	"correction-console/internal/store/sqlite"
	"correction-console/internal/wechat"
)

// Gateway is WeChat Pay with what it knows of the way there.
type Gateway interface {
	correction.Gateway
	Health() wechat.Health
}

// Config is what a console is made of.
type Config struct {
	config.Config
	Version string
	Gateway Gateway
	Keys    *Keys // nil: there are no files to read again
	DemoURL string
	Log     *slog.Logger
	Now     func() time.Time // nil: the machine's clock
	Exports handlers.ExportLimits

	// Seed puts into the database what must be there before anything reads it; nil: nothing.
	Seed func(context.Context, *sqlite.Store) error
	// AcceptRollback puts on record that part of the record is lost.
	AcceptRollback bool

	// Health replaces what is measured of this machine; nil: it is measured. For tests.
	Health func() correction.Health
	// Alter changes the service before anything uses it; nil: nothing. For tests.
	Alter func(*correction.Service, *sqlite.Store) error
	// Trace is told of each step of a correction; nil: nobody is. For tests.
	Trace func(step string)
	// Shared lets several consoles serve one folder. For tests.
	Shared bool
}

// Console is a console that can be run. The exported parts are those that tests and
// benchmarks look into.
type Console struct {
	Store   *sqlite.Store
	Journal *journal.Journal
	Service *correction.Service
	Web     handlers.Config
	Handler http.Handler

	cfg       Config
	health    *health.Monitor
	publisher *checkpoint.Publisher
	mark      *checkpoint.HighWater
	notifier  *notify.Notifier // nil: nobody is told
	unlock    func() error
	log       *slog.Logger
}

// New opens the files of the data folder and puts the parts together. It refuses a folder
// that another console serves, and a record that is older than what is known elsewhere.
// Close ends what it returns.
func New(ctx context.Context, cfg Config) (_ *Console, err error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Console{cfg: cfg, log: cfg.Log, unlock: func() error { return nil }}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if !cfg.Shared {
		if c.unlock, err = Lock(cfg.Data); err != nil {
			c.unlock = func() error { return nil }
			return nil, err
		}
	}
	if c.Store, err = OpenStore(ctx, cfg.Data); err != nil {
		return nil, err
	}
	if cfg.Seed != nil {
		if err := cfg.Seed(ctx, c.Store); err != nil {
			return nil, err
		}
	}
	keys, signer, err := loadKeys(cfg.Config)
	if err != nil {
		return nil, err
	}
	c.Store.SetSigner(signer)
	if err := c.openJournal(ctx, signer.VerifierKey()); err != nil {
		return nil, err
	}
	c.Service = &correction.Service{
		Store: c.Store, Gateway: cfg.Gateway, Journal: c.Journal, Policy: policyOf(cfg.Config), Key: keys.Confirm, Now: cfg.Now, Log: c.log, Health: c.health.Now, Zone: cfg.Zone, Trace: cfg.Trace,
	}
	c.Service.Lookups.PerMinute = cfg.LookupsPerMinute
	if cfg.Health != nil {
		c.Service.Health = cfg.Health
	}
	if c.notifier = NewNotifier(cfg.Config, c.Store, c.log); c.notifier != nil {
		c.Service.Submitted = c.notifier.Submitted
	}
	if cfg.Alter != nil {
		if err := cfg.Alter(c.Service, c.Store); err != nil {
			return nil, err
		}
	}
	sessions := auth.NewSessions(c.Store, keys, cfg.Secure(), cfg.Now, c.log)
	c.Web = handlers.Config{
		Corrections: c.Service, ChangeLog: changelog.New(c.Store, c.Service, cfg.Now), Insights: insights.New(c.Store), DayClose: dayclose.New(c.Store, c.Service, cfg.Now, c.log),
		Sessions: sessions, SignIn: auth.NewAuthenticator(c.Store, auth.NewHasher(), sessions, keys, cfg.Now, c.log),
		Preferences: c.Store.SetPreferences, Ready: c.Store.Ping, Audit: c.Store.AppendAudit, Prove: c.Store.Proof, Checkpoint: c.Store.Checkpoint, VerifierKey: signer.VerifierKey(),
		Log: c.log, Now: cfg.Now, Zone: cfg.Zone, Version: cfg.Version, PublicURL: cfg.PublicURL, Proxies: cfg.TrustedProxies,
		Secure: cfg.Secure(), Exposed: cfg.Exposed(), MetricsToken: cfg.MetricsToken, DemoURL: cfg.DemoURL, Exports: cfg.Exports,
	}
	if c.Handler, err = handlers.New(c.Web); err != nil {
		return nil, config.Usage(fmt.Errorf("CONSOLE_PUBLIC_URL: %w", err))
	}
	return c, nil
}

// Close closes the files, when Run has ended.
func (c *Console) Close() error {
	var err error
	if c.Journal != nil {
		err = c.Journal.Close()
	}
	if c.Store != nil {
		err = errors.Join(err, c.Store.Close())
	}
	return errors.Join(err, c.unlock())
}

// loadKeys reads the keys of sessions and checkpoints, making them when they are missing.
func loadKeys(cfg config.Config) (auth.Keys, *ledger.Signer, error) {
	file := cfg.SessionKeyFile
	if file == "" {
		file = filepath.Join(cfg.Data, "session.key")
	}
	secret, err := auth.LoadOrCreateKey(file)
	if err != nil {
		return auth.Keys{}, nil, config.Usage(fmt.Errorf("CONSOLE_SESSION_KEY_FILE=%q: %w", file, err))
	}
	keys, err := auth.DeriveKeys(secret)
	if err != nil {
		return auth.Keys{}, nil, config.Usage(err)
	}
	signer, err := loadSigner(cfg)
	return keys, signer, err
}

func loadSigner(cfg config.Config) (*ledger.Signer, error) {
	signer, err := ledger.LoadOrCreateKey(cfg.CheckpointKeyFile)
	if err != nil {
		return nil, config.Usage(fmt.Errorf("CONSOLE_CHECKPOINT_KEY_FILE=%q: %w", cfg.CheckpointKeyFile, err))
	}
	return signer, nil
}

// openJournal compares the record with what is known elsewhere, opens the journal and
// makes what watches over them.
func (c *Console) openJournal(ctx context.Context, vkey string) error {
	cfg := c.cfg
	if err := refuseBehind(ctx, c.Store, cfg.Journal); err != nil {
		return err
	}
	if err := refuseRollback(ctx, c.Store, cfg, vkey); err != nil {
		return err
	}
	lacks, err := JournalLacks(ctx, c.Store, cfg.Journal)
	if err != nil {
		return err
	}
	if lacks {
		c.log.Error("alarm", "kind", correction.JournalMissing, "folder", cfg.Journal)
	}
	if c.Journal, err = openJournal(cfg.Config, cfg.Now); err != nil {
		return err
	}
	c.publisher = checkpoint.NewPublisher(cfg.CheckpointFolder, cfg.CheckpointURL, c.Store, c.log)
	c.mark = checkpoint.NewHighWater(c.Store, cfg.Journal, c.log)
	watched := health.Config{
		Data: cfg.Data, Database: config.DatabasePath(cfg.Data), Journal: cfg.Journal, MinFree: cfg.MinFree, JournalLacks: lacks, RollbackBlind: blind(cfg.Config),
		Gateway: cfg.Gateway, Store: c.Store, Published: c.publisher.State, Log: c.log,
	}
	if cfg.Keys != nil {
		watched.Reloaded = cfg.Keys.state
	}
	c.health = health.New(watched)
	return nil
}

func openJournal(cfg config.Config, now func() time.Time) (*journal.Journal, error) {
	j, err := journal.Open(cfg.Journal, now)
	if err != nil {
		return nil, config.Usage(fmt.Errorf("CONSOLE_JOURNAL=%q: %w", cfg.Journal, err))
	}
	return j, nil
}

// NewNotifier tells the robot of the settings about approvals; nil when there is none.
func NewNotifier(cfg config.Config, st *sqlite.Store, log *slog.Logger) *notify.Notifier {
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

// blind reports whether nothing could tell that an older copy of the data folder took its
// place.
func blind(cfg config.Config) bool {
	return checkpoint.Blind(cfg.Data, cfg.Journal, cfg.CheckpointFolder)
}

// Warn tells the log of what works but should not be so. at is the address that is
// listened on.
func Warn(cfg config.Config, at net.Addr, log *slog.Logger) {
	warnPlain(cfg, at, log)
	if blind(cfg) {
		log.Warn("an older copy of the data folder would not be noticed: put CONSOLE_JOURNAL or CONSOLE_CHECKPOINT_FOLDER elsewhere", "data", cfg.Data)
	}
	warnOpen(cfg, log)
}
