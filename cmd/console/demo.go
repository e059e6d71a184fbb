package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/config"
	"correction-console/internal/console"
	"correction-console/internal/correction"
	"correction-console/internal/store/sqlite"
	"correction-console/internal/wechat"
	"correction-console/internal/wechat/simulator"
)

type demoCommand struct {
	Listen    string `name:"listen" env:"CONSOLE_LISTEN" default:"127.0.0.1:8080" help:"Address to listen on."`
	Data      string `name:"data" type:"path" help:"Folder to keep the demo's data in. Default: a temporary folder, deleted at the end."`
	QuietTime string `name:"quiet-time" env:"CONSOLE_QUIET_TIME" default:"30s" help:"Time before \"not applied\" may be said; short, so that it can be watched."`
	Lookups   int    `name:"lookups-per-minute" env:"CONSOLE_LOOKUPS_PER_MINUTE" default:"60" help:"Orders that a person may look up in a minute; 0 = no limit."`
}

// demoPeople are the demo's people: one a role, and a second supervisor.
var demoPeople = []struct {
	login, name string
	role        correction.Role
}{
	{"agent", "林晓雯", correction.Agent},
	{"supervisor", "周启明", correction.Supervisor},
	{"supervisor2", "钱文博", correction.Supervisor}, // a conflict takes two
	{"operator", "何川", correction.Operator},
	{"auditor", "沈静", correction.Auditor},
}

func demoConfig(listen, data string, zone *time.Location, quiet time.Duration) config.Config {
	return config.Config{
		Listen: listen, Data: data, Zone: zone, Quiet: quiet, Timeout: wechat.DefaultTimeout, Recheck: time.Second, FollowFor: 30 * 24 * time.Hour,
		Journal: filepath.Join(data, "journal"), CheckpointKeyFile: filepath.Join(data, "checkpoint.key"), CheckpointInterval: 15 * time.Minute,
		Connections: 512, ConnectionsPerAddress: 32,
	}
}

// Run sets up a throw-away installation with its own Pay Score and serves it.
func (d *demoCommand) Run() error {
	ctx, stop := untilStopped()
	defer stop()
	signal.Ignore(syscall.SIGHUP) // there is nothing to read again
	limitMemory()
	quiet, err := time.ParseDuration(d.QuietTime)
	if err != nil || quiet <= 0 {
		return config.Usage(fmt.Errorf("CONSOLE_QUIET_TIME=%q: write a duration, such as 30s", d.QuietTime))
	}
	if !config.ValidLookups(d.Lookups) {
		return config.Usage(fmt.Errorf("CONSOLE_LOOKUPS_PER_MINUTE=\"%d\": %s", d.Lookups, config.LookupsFix))
	}
	data := d.Data
	if data == "" {
		if data, err = os.MkdirTemp("", "console-demo-"); err != nil {
			return fmt.Errorf("make a temporary folder: %w", err)
		}
		defer os.RemoveAll(data)
	}
	if err := refuseForeign(data); err != nil {
		return err
	}
	if err := markDemo(data); err != nil {
		return err
	}
	l, err := console.Listen("CONSOLE_LISTEN", d.Listen)
	if err != nil {
		return err
	}
	defer l.Close()

	sim, err := simulator.Start("127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the simulator: %w", err)
	}
	defer sim.Close()
	for _, o := range simulator.Samples(time.Now()) {
		sim.Put(o)
	}
	faults, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("open the page of faults: %w", err)
	}
	defer faults.Close()
	go http.Serve(faults, sim.PageHandler()) //nolint:gosec // the demo's own page, on the loopback range

	password := demoPassword()
	gw, err := wechat.New(sim.Config())
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return err
	}
	cfg := demoConfig(d.Listen, data, zone, quiet)
	cfg.LookupsPerMinute = d.Lookups
	lines := newLogWriter(os.Stderr)
	defer lines.flush()
	c, err := console.New(ctx, console.Config{
		Config: cfg, Version: version, Gateway: gw, DemoURL: "http://" + faults.Addr().String() + "/",
		Log:  slog.New(slog.NewJSONHandler(lines, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Seed: func(ctx context.Context, st *sqlite.Store) error { return seedDemo(ctx, st, password) },
	})
	if err != nil {
		return err
	}
	defer c.Close()
	announce(l.Addr(), faults.Addr(), password)
	return c.Run(ctx, console.Listeners{Pages: l})
}

// markDemo makes sure that a folder is a demo's: the demo adds people and sets their
// passwords, which it must never do to a real installation.
func markDemo(data string) error {
	mark := filepath.Join(data, "demo")
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	if _, err := os.Stat(config.DatabasePath(data)); err == nil {
		return config.Usage(fmt.Errorf("--data %q: there is a database that is not a demo's; name another folder", data))
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("--data %q: the folder cannot be made: %w", data, err)
	}
	if err := os.WriteFile(mark, []byte("This folder belongs to the demo.\n"), 0o600); err != nil {
		return fmt.Errorf("--data %q: %w", data, err)
	}
	return nil
}

// demoPassword is made anew at each start, so that a demo that listens on the
// network is not open to everybody. It can be read aloud.
func demoPassword() string {
	const letters = "abcdefghjkmnpqrstuvwxyz23456789"
	b := make([]byte, 12)
	rand.Read(b)
	var out []byte
	for i, x := range b {
		if i > 0 && i%4 == 0 {
			out = append(out, '-')
		}
		out = append(out, letters[int(x)%len(letters)])
	}
	return string(out)
}

// seedDemo puts the sample merchants, services and people in place. In a folder
// that was kept, the people get the new password.
func seedDemo(ctx context.Context, st *sqlite.Store, password string) error {
	for _, m := range simulator.DemoMerchants() {
		if err := st.PutMerchant(ctx, m); err != nil {
			return err
		}
	}
	for _, o := range simulator.DemoOfferings() {
		if err := st.PutOffering(ctx, o); err != nil {
			return err
		}
	}
	hash, err := auth.NewHasher().Hash(ctx, password)
	if err != nil {
		return err
	}
	existing, err := st.Users(ctx)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, u := range existing {
		there[u.Username] = true
	}
	for _, p := range demoPeople {
		if there[p.login] {
			err = st.ResetPassword(ctx, p.login, hash)
		} else {
			err = st.AddUser(ctx, sqlite.UserSpec{Username: p.login, Name: p.name, Role: p.role, All: true, PasswordHash: hash})
		}
		if err != nil {
			return err
		}
	}
	return seedSettings(ctx, st)
}

// seedSettings limits the demo's agent, so that approvals can be seen, unless somebody
// has edited the settings of a folder that was kept. Supervisors have no limit.
func seedSettings(ctx context.Context, st *sqlite.Store) error {
	per, day, count := correction.Fen(20000), correction.Fen(500000), 200
	for name, value := range map[correction.SettingName]any{
		correction.SettingLimits: correction.Limits{Roles: map[correction.Role]correction.Limit{correction.Agent: {Per: &per, Day: &day, DayCount: &count}}},
		correction.SettingTiers:  []correction.Tier{{From: 0}, {From: 100000}},
	} {
		versions, err := st.SettingHistory(ctx, name, 1)
		if err != nil {
			return err
		}
		if len(versions) > 0 {
			continue
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("write setting %s: %w", name, err)
		}
		if err := st.PutSetting(ctx, name, 1, raw, 0, "", time.Now()); err != nil {
			return err
		}
	}
	return nil
}

func announce(console, faults net.Addr, password string) {
	fmt.Printf(`
改价台 demo: a throw-away console with a simulated WeChat Pay.

  open       http://%s/
  password   %s   (the same for everybody)
`, console, password)
	for _, p := range demoPeople {
		fmt.Printf("  %-10s %s, %s\n", p.login, p.name, p.role)
	}
	fmt.Printf(`
  try        order PB_20261123_0099: billed ¥99.00, real use ¥10.00
  approval   order YS-ZC-20261123-0318: more than ¥200.00 off needs a supervisor
             order YS-ZC-20261121-0021: from ¥1,000.00 off the total is typed blind
  faults     http://%s/   (what "WeChat" does with the next call)

Stop with Ctrl+C.
`, faults)
}
