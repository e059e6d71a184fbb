package apptest

import (
	"context"
	"encoding/hex"
	"encoding/json"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
)

// Setting stores the next version of a setting, as the command line would.
func (a *App) Setting(name correction.SettingName, value any) {
	a.t.Helper()
	ctx := context.Background()
	text, err := json.Marshal(value)
	a.must(err)
	history, err := a.Store.SettingHistory(ctx, name, 1)
	a.must(err)
	n := 1
	if len(history) > 0 {
		n = history[0].N + 1
	}
	a.must(a.Store.PutSetting(ctx, name, n, text, 0, "", a.Clock.Now()))
	a.Service.ForgetSettings()
}

// AgentLimit bounds what agents give up alone.
func (a *App) AgentLimit(l correction.Limit) {
	a.t.Helper()
	a.Setting(correction.SettingLimits, correction.Limits{Roles: map[correction.Role]correction.Limit{correction.Agent: l}})
}

// Who is a person of the tests as an actor.
func (a *App) Who(login string) correction.Actor {
	a.t.Helper()
	users, err := a.Store.Users(context.Background())
	a.must(err)
	for _, u := range users {
		if u.Username == login {
			return auth.Actor(u, auth.Session{Row: 1})
		}
	}
	a.t.Fatalf("nobody is called %q", login)
	return correction.Actor{}
}

// Order puts a fresh order with one line at the simulator; its service allows zero.
func (a *App) Order(no string, total correction.Fen) correction.Ref {
	a.t.Helper()
	o, ok := a.Sim.Order("1900022254", "YS-ZC-20261120-008")
	if !ok {
		a.t.Fatal("no such sample order")
	}
	o.OutOrderNo, o.Total, o.Collection.Total, o.Collection.Paying = no, total, total, total
	o.Lines = []correction.Line{{Name: "租车相关费用", Description: "经济型轿车3天", Amount: total, HasAmount: true, Count: 1}}
	o.Discounts = nil
	a.Sim.Put(o)
	return correction.Ref{SubMchID: o.SubMchID, ServiceID: o.ServiceID, OutOrderNo: no}
}

// Propose prepares a correction of such an order.
func (a *App) Propose(by correction.Actor, ref correction.Ref, target correction.Fen) correction.Correction {
	a.t.Helper()
	ctx := context.Background()
	opened, err := a.Service.OpenForm(ctx, by, ref)
	a.must(err)
	f := correction.FormOf(opened.Order, opened.Device)
	f.Lines[0].Amount = target.Yuan()
	f.ReasonCode, f.Reason, f.Base = "timing", "经核实使用时长有误，已按实际时长调整金额。", hex.EncodeToString(opened.Base[:])
	f.Note = "客户提前一天还车，门店系统没有及时登记。"
	r, err := a.Service.Prepare(ctx, by, ref, f, 0)
	if err != nil {
		a.t.Fatalf("prepare: %v %+v", err, r.Checked.Problems)
	}
	return a.Record(r.ID)
}

// Confirm confirms a correction as its author does.
func (a *App) Confirm(by correction.Actor, c correction.Correction) error {
	return a.Service.Confirm(context.Background(), by, c.ID, a.Service.Token(c), c.Target.Yuan())
}

// Record is a correction as it is on record.
func (a *App) Record(id int64) correction.Correction {
	a.t.Helper()
	c, err := a.Store.Correction(context.Background(), id)
	a.must(err)
	return c
}

func (a *App) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}
