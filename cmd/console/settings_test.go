package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"correction-console/internal/config"
	"correction-console/internal/console"
	"correction-console/internal/correction"
	"correction-console/internal/store/sqlite"
)

// The demo limits its agent and leaves no amount without an approver; what somebody
// edited in a folder that was kept stays.
func TestDemo_SeedsLimitsOnce(t *testing.T) {
	t.Parallel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "console.db"))
	must(err)
	defer st.Close()
	must(seedDemo(t.Context(), st, "a quiet green bicycle"))
	s := &correction.Service{Store: st, Now: time.Now, Log: quietLog()}
	boss, err := st.UserByName(t.Context(), "supervisor")
	must(err)
	a := correction.Actor{UserID: boss.ID, Role: boss.Role, Scope: boss.Scope}
	d, err := s.SettingsDesk(t.Context(), a)
	must(err)
	agent := d.Settings.Limits.Roles[correction.Agent]
	if len(d.GapsOpen) > 0 || len(d.Settings.Tiers) != 2 {
		t.Errorf("%+v %+v", d.GapsOpen, d.Settings.Tiers)
	}
	if over := agent.CheckOf(0, 9900, 1000, correction.Spent{}); len(over) > 0 {
		t.Errorf("the demo's first order needs an approval: %+v", over)
	}
	if over := agent.CheckOf(0, 31800, 400, correction.Spent{}); len(over) != 1 {
		t.Errorf("its second does not: %+v", over)
	}
	problems, saved, err := s.EditSetting(t.Context(), a, correction.SettingLimits, 1, correction.Typed{"agent.per": "50", "agent.day": "5000", "agent.count": "200"}, "127.0.0.1")
	if err != nil || saved != correction.SavedNow || len(problems) > 0 {
		t.Fatal(problems, saved, err)
	}
	must(seedDemo(t.Context(), st, "another"))
	if list, err := st.SettingHistory(t.Context(), correction.SettingLimits, 9); err != nil || len(list) != 2 || list[0].ActorName != boss.Name {
		t.Errorf("%+v %v", list, err)
	}
}

// The robot of the settings is told of what waits in the store, and where to decide.
func TestNotifier_TellsOfTheQueue(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	defer b.close()
	got := make(chan string, 1)
	robot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		io.WriteString(w, `{"errcode":0}`)
		got <- string(text)
	}))
	defer robot.Close()
	cfg, problems := config.Settings{PublicURL: "https://console.example.com", TimeZone: "Asia/Shanghai"}.Check(b.data)
	if config.Names(problems, "CONSOLE_PUBLIC_URL") {
		t.Fatal(problems)
	}
	if console.NewNotifier(cfg, b.st, quietLog()) != nil {
		t.Error("a robot without an address")
	}
	cfg.WebhookURL, cfg.WebhookFormat = robot.URL, "wecom"
	n := console.NewNotifier(cfg, b.st, quietLog())
	c := b.prepare(1, "lin", "A1")
	b.ok(b.st.Submit(t.Context(), c.ID, c.Ref, correction.Event{N: 2, State: correction.Awaiting, At: b.tick(), ActorID: 1, ActorName: "lin"}, nil))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go n.Run(ctx)
	n.Submitted(c)
	select {
	case text := <-got:
		for _, want := range []string{"1 笔", "lin −¥89.00", "https://console.example.com/approvals"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in %s", want, text)
			}
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it was not told")
	}
}
