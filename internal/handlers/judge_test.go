package handlers_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
)

// past changes the database behind the console's back, as a hand at the file does, an
// older version of the program, or a copy that was put back.
func past(t *testing.T, a *apptest.App, query string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(a.Data, "console.db")+"?_pragma=busy_timeout(20000)&_txlock=immediate")
	must(t, err)
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// atQuery does something when the order is read again under the claim: after it was
// claimed, and before anything is sent.
type atQuery struct {
	correction.Gateway
	do func()
}

func (g *atQuery) Query(ctx context.Context, ref correction.Ref) (correction.Reading, error) {
	if do := g.do; do != nil {
		g.do = nil
		do()
	}
	return g.Gateway.Query(ctx, ref)
}

// letting lets something else begin just when the order was read again under the claim, or
// when the POST begins.
type letting struct {
	correction.Gateway
	read, post func()
}

func (g *letting) Query(ctx context.Context, ref correction.Ref) (correction.Reading, error) {
	r, err := g.Gateway.Query(ctx, ref)
	g.read()
	return r, err
}

func (g *letting) Modify(ctx context.Context, ref correction.Ref, body []byte, s correction.Signing) correction.Answer {
	g.post()
	return g.Gateway.Modify(ctx, ref, body, s)
}

// serviceOf is the one that the orders of the tests belong to.
func serviceOf(t *testing.T, a *apptest.App) correction.Offering {
	t.Helper()
	o, err := a.Store.Offering(t.Context(), a.Order("SERVICE-OF", 100).ServiceID)
	must(t, err)
	return o
}

// Every rule, changed in every way and at every moment between the form and the POST:
// what is no longer permitted is never sent, its record says why in the words of the form,
// and its order is free.
func TestJudge_EveryRuleAtTheMomentItCounts(t *testing.T) {
	t.Parallel()
	const (
		page = "settings page"
		cli  = "command line"
		past = "past both"
	)
	type change func(t *testing.T, a *apptest.App, how string)
	offering := func(edit func(*correction.Offering), query string) change {
		return func(t *testing.T, a *apptest.App, how string) {
			t.Helper()
			before := serviceOf(t, a)
			o := before
			edit(&o)
			switch how {
			case page:
				_, err := a.Service.PutOffering(t.Context(), a.Who("he"), &before, o, "")
				must(t, err)
			case cli:
				must(t, a.Store.PutOffering(t.Context(), o))
			default:
				pastOf(t, a, query, o.ServiceID)
			}
		}
	}
	raw := func(query string) change {
		return func(t *testing.T, a *apptest.App, _ string) { t.Helper(); pastOf(t, a, query) }
	}
	disable := func(login string) change {
		return func(t *testing.T, a *apptest.App, how string) {
			t.Helper()
			if how == cli {
				must(t, a.Store.SetDisabled(t.Context(), login, true))
				return
			}
			pastOf(t, a, `UPDATE user SET disabled = 1 WHERE username = ?`, login)
		}
	}
	setting := func(name correction.SettingName, value func(a *apptest.App) any) change {
		return func(t *testing.T, a *apptest.App, _ string) { t.Helper(); a.Setting(name, value(a)) }
	}
	everybody, by := []string{page, cli, past}, []string{cli, past}
	for _, x := range []struct {
		rule     string
		how      []string
		change   change
		author   bool   // it is somebody's or some service's: void when the edit goes through the console
		approver bool   // it concerns who approves
		limit    bool   // it concerns what the author may do alone
		words    string // in the record, zh
	}{
		{correction.BadZero, everybody, offering(func(o *correction.Offering) { o.AllowZero = false }, `UPDATE offering SET allow_zero = 0 WHERE service_id = ?`), true, false, false, "不要改到 0 元"},
		{correction.BadOverCap, everybody, offering(func(o *correction.Offering) { o.Cap = 4999 }, `UPDATE offering SET cap = 4999 WHERE service_id = ?`), true, false, false, "改后不能超过这项服务的上限 ¥49.99"},
		{correction.ServiceGone, []string{past}, raw(`DELETE FROM offering`), true, false, false, "服务已经从改价台移除"},
		{correction.MerchantGone, []string{past}, raw(`DELETE FROM merchant`), true, false, false, "商户已经从改价台移除"},
		{correction.AuthorDisabled, by, disable("lin"), true, false, false, "申请人的账号已停用"},
		{correction.AuthorRole, []string{past}, raw(`UPDATE user SET role = 'auditor' WHERE username = 'lin'`), true, false, false, "申请人现在的角色不能改价"},
		{correction.AuthorScope, []string{past}, raw(`UPDATE user SET all_merchants = 0 WHERE username = 'lin'`), true, false, false, "申请人已不再负责这家商户"},
		{correction.ApproverDisabled, by, disable("zhou"), false, true, false, "审批人的账号已停用"},
		{correction.ApproverRole, []string{past}, raw(`UPDATE user SET role = 'agent' WHERE username = 'zhou'`), false, true, false, "审批人现在的角色不能审批"},
		{correction.ApproverScope, []string{past}, raw(`UPDATE user SET all_merchants = 0 WHERE username = 'zhou'`), false, true, false, "审批人已不再负责这家商户"},
		{correction.ApproverTier, []string{cli}, setting(correction.SettingTiers, func(a *apptest.App) any {
			return []correction.Tier{{Approvers: []int64{a.Who("qian").UserID}}}
		}), false, true, false, "按现在的审批级别"},
		{correction.ApproverLimit, []string{cli}, setting(correction.SettingLimits, func(*apptest.App) any {
			return correction.Limits{Roles: map[correction.Role]correction.Limit{correction.Agent: {Per: fen(0)}, correction.Supervisor: {Per: fen(4999)}}}
		}), false, true, false, "超出了审批人自己的上限"},
		{correction.OverLimit, []string{cli}, setting(correction.SettingLimits, func(*apptest.App) any {
			return correction.Limits{Roles: map[correction.Role]correction.Limit{correction.Agent: {Per: fen(4999)}}}
		}), false, false, true, "这笔要主管审批"},
		{correction.OverLimit, []string{cli}, setting(correction.SettingLimits, func(*apptest.App) any {
			return correction.Limits{Roles: map[correction.Role]correction.Limit{correction.Agent: {PerPermille: count(400)}}}
		}), false, false, true, "这笔要主管审批"},
		{correction.OverLimit, []string{cli}, setting(correction.SettingLimits, func(*apptest.App) any {
			return correction.Limits{Roles: map[correction.Role]correction.Limit{correction.Agent: {Day: fen(4999)}}}
		}), false, false, true, "这笔要主管审批"},
		{correction.OverLimit, []string{cli}, setting(correction.SettingLimits, func(*apptest.App) any {
			return correction.Limits{Roles: map[correction.Role]correction.Limit{correction.Agent: {DayCount: count(0)}}}
		}), false, false, true, "这笔要主管审批"},
	} {
		for _, how := range x.how {
			for _, approve := range []bool{false, true} {
				for _, under := range []bool{false, true} {
					if x.approver && !approve || x.limit && approve {
						continue
					}
					t.Run(fmt.Sprintf("%s/%s/approve=%t/under the claim=%t", x.rule, how, approve, under), func(t *testing.T) {
						t.Parallel()
						a := apptest.Start(t, apptest.Options{})
						if approve {
							a.AgentLimit(correction.Limit{Per: fen(0)})
						}
						lin, zhou, ctx := a.Who("lin"), a.Who("zhou"), t.Context()
						target := correction.Fen(5000)
						if x.rule == correction.BadZero {
							target = 0
						}
						c := a.Propose(lin, a.Order("JUDGED", 10000), target)
						act := func() error { return a.Confirm(lin, c) }
						if approve {
							must(t, a.Confirm(lin, c))
							act = func() error { return a.Service.Approve(ctx, zhou, c.ID, "", c.Target.Yuan()) }
						}
						if under {
							a.Service.Gateway = &atQuery{a.Service.Gateway, func() { x.change(t, a, how) }}
						} else {
							if _, err := a.Service.Settings(ctx); err != nil { // in memory, from before
								t.Fatal(err)
							}
							x.change(t, a, how)
						}
						err := act()
						got := a.Record(c.ID)
						want := correction.NotSent
						switch {
						case x.limit && !under, x.approver && !under: // it needs, or waits for, another person
							want = correction.Awaiting
						case x.author && !under && how != past:
							want = correction.Void
						}
						if got.State != want || a.Sim.Posts("JUDGED") != 0 {
							t.Fatalf("it is %s with %d POSTs (%v), want %s: %+v", got.State, a.Sim.Posts("JUDGED"), err, want, got.Last().Detail)
						}
						if x.approver && !under {
							if correction.KindOf(err) != correction.Forbidden {
								t.Errorf("who may not approve is told %v", err)
							}
							return
						}
						holder, herr := a.Store.Holder(ctx, c.Ref)
						if herr != nil || (holder != nil) != (want == correction.Awaiting) {
							t.Errorf("the order is held by %+v, %v", holder, herr)
						}
						if want == correction.Awaiting {
							return
						}
						if err != nil && correction.KindOf(err) != correction.Conflict {
							t.Errorf("told %v", err)
						}
						d := got.Last().Detail
						if d.Cause != x.rule || len(d.Breaches) != 1 || d.Breaches[0].Code != x.rule || (want == correction.NotSent) != (d.Class == correction.NothingSent) {
							t.Errorf("the record says %+v", d)
						}
						says(t, "the correction", a.As("qian").Get(fmt.Sprintf("/corrections/%d", c.ID)), x.words)
					})
				}
			}
		}
	}
}

func pastOf(t *testing.T, a *apptest.App, query string, args ...any) {
	t.Helper()
	past(t, a, query, args...)
}

// What came to the record past the console is found by the housekeeping, and told to its
// author, to supervisors and in the log.
func TestVoid_IsFoundShownAndDoneAgain(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin, ctx := a.Who("lin"), t.Context()
	must(t, a.Service.StartReconciling(ctx))
	kept := a.Propose(lin, a.Order("KEPT", 10000), 5000)
	plain := a.Propose(lin, a.Order("PLAIN", 10000), 0)
	a.AgentLimit(correction.Limit{Per: fen(100)})
	waits := a.Propose(lin, a.Order("WAITS", 10000), 0)
	must(t, a.Confirm(lin, waits))
	zhou := a.As("zhou")
	past(t, a, `UPDATE offering SET allow_zero = 0`)
	// Names and rules are kept for a moment; who approves meanwhile is refused by the claim.
	shown := zhou.Get("/approvals?id=" + fmt.Sprint(waits.ID))
	for until := time.Now().Add(time.Minute); !strings.Contains(shown.Body, "现在不能批准，也不会发送") && time.Now().Before(until); {
		shown = zhou.Get("/approvals?id=" + fmt.Sprint(waits.ID))
	}
	says(t, "the case", shown, "现在不能批准，也不会发送", "不要改到 0 元")
	must(t, a.Service.VoidUnpermitted(ctx))
	for c, want := range map[int64]correction.State{kept.ID: correction.Prepared, plain.ID: correction.Void, waits.ID: correction.Void} {
		if got := a.Record(c); got.State != want {
			t.Errorf("correction %d is %s, want %s", c, got.State, want)
		}
	}
	if h, err := a.Store.Holder(ctx, waits.Ref); h != nil || err != nil {
		t.Errorf("a void one holds its order: %+v %v", h, err)
	}
	if err := a.Confirm(lin, plain); correction.CodeOf(err) != correction.CodeTokenUsed || a.Sim.Posts("PLAIN") != 0 {
		t.Errorf("a void one is confirmed: %v", err)
	}
	if n := a.Service.Counts().Outcomes[correction.Void]; n != 2 {
		t.Errorf("%d void ones are counted", n)
	}
	agent := a.As("lin")
	says(t, "the author's first page", agent.Get("/"), "已作废", fmt.Sprintf("/corrections/%d", plain.ID), fmt.Sprintf("/corrections/%d", waits.ID))
	says(t, "the queue", zhou.Get("/approvals"), "今天已失效", "已作废")
	says(t, "the log", zhou.Get("/corrections?state=void"), "PLAIN", "WAITS")
	saysNot(t, "the log", zhou.Get("/corrections?state=void"), "KEPT")
	export := zhou.Get("/corrections.csv?state=void")
	says(t, "the export", export, "已作废")
	if n := strings.Count(export.Body, "YS") + strings.Count(export.Body, "WAITS") + strings.Count(export.Body, "PLAIN"); n < 2 {
		t.Errorf("the export:\n%s", export.Body)
	}
	if proof := zhou.Get(fmt.Sprintf("/corrections/%d/proof", plain.ID)); proof.Status != http.StatusOK || !strings.Contains(proof.Body, `"void"`) {
		t.Errorf("its proof: %d", proof.Status)
	}
	checkRecord(t, a)
	shown = agent.Get(fmt.Sprintf("/corrections/%d", plain.ID))
	says(t, "the correction", shown, "已作废：现在的规则或权限不允许这次改价", "/correction?from=", "没有发给微信")
	// Done again it is one and the same story.
	again := a.Propose(lin, plain.Ref, 9950)
	must(t, a.Confirm(lin, again))
	if got := a.Record(again.ID); got.State != correction.Applied {
		t.Errorf("done again it is %s", got.State)
	}
}

// Disabling somebody races with their confirmation and with the approval of what they
// wrote: it is sent once, or never; nothing of theirs is left waiting.
func TestJudge_DisabledAtTheVeryMoment(t *testing.T) {
	t.Parallel()
	rounds := 120
	if testing.Short() {
		rounds = 24
	}
	a := apptest.Start(t, apptest.Options{})
	lin, zhou, ctx := a.Who("lin"), a.Who("zhou"), t.Context()
	rng := seeded(t)
	sent, gateway := [3]int{}, a.Service.Gateway
	for i := range rounds {
		no := fmt.Sprintf("AT-ONCE-%d", i)
		a.AgentLimit(correction.Limit{})
		var c correction.Correction
		act := func() error { return a.Confirm(lin, c) }
		if i%2 == 1 {
			a.AgentLimit(correction.Limit{Per: fen(0)})
			act = func() error { return a.Service.Approve(ctx, zhou, c.ID, "", c.Target.Yuan()) }
		}
		c = a.Propose(lin, a.Order(no, 10000), 5000)
		if i%2 == 1 {
			must(t, a.Confirm(lin, c))
		}
		other := a.Propose(lin, a.Order(no+"-B", 10000), 5000)
		edit := func() error { return a.Store.SetDisabled(ctx, "lin", true) }
		if i%4 >= 2 {
			before := serviceOf(t, a)
			o := before
			o.Cap = 1
			edit = func() error { return a.Store.PutOffering(ctx, o) }
		}
		// The edit begins with the act, when the order was read again, or with the POST.
		moment, ahead, behind := i/4%3, rng.IntN(300), rng.IntN(300)
		start := make(chan struct{})
		begin := sync.OnceFunc(func() { close(start) })
		hooks := [3]func(){func() {}, func() {}, func() {}}
		hooks[moment] = func() {
			begin()
			for range behind {
				runtime.Gosched()
			}
		}
		a.Service.Gateway = &letting{gateway, hooks[1], hooks[2]}
		var wg sync.WaitGroup
		var acted, edited error
		wg.Go(func() { hooks[0](); acted = act(); begin() })
		wg.Go(func() {
			<-start
			for range ahead {
				runtime.Gosched()
			}
			edited = edit()
		})
		wg.Wait()
		a.Service.Gateway = gateway
		must(t, edited)
		got, posts := a.Record(c.ID), a.Sim.Posts(no)
		_, intent := got.Find(correction.Sending)
		switch {
		case got.State == correction.Applied && posts == 1 && intent:
			sent[moment]++
		case moment == 2:
			t.Fatalf("round %d: %s, although the POST had begun: %v", i, got.State, acted)
		case (got.State == correction.Void || got.State == correction.NotSent) && posts == 0 && !intent:
		default:
			t.Fatalf("round %d: %s with %d POSTs, %v", i, got.State, posts, acted)
		}
		if state := a.Record(other.ID).State; state != correction.Void {
			t.Fatalf("round %d: what waited beside it is %s", i, state)
		}
		if h, err := a.Store.Holder(ctx, c.Ref); h != nil || err != nil {
			t.Fatalf("round %d: the order is held by %+v, %v", i, h, err)
		}
		must(t, a.Store.SetDisabled(ctx, "lin", false))
		o := serviceOf(t, a)
		o.Cap = 0
		must(t, a.Store.PutOffering(ctx, o))
	}
	t.Logf("%d rounds, sent by the moment of the edit: %v", rounds, sent)
	checkRecord(t, a)
}

// The limit of one correction is a limit of one order, and a tier counts what anybody
// gave up of it: three corrections of 3 each are one of 9.
func TestLimits_AddUpOverAnOrder(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	a.AgentLimit(correction.Limit{Per: fen(500)})
	lin, wu, ctx := a.Who("lin"), a.Who("wu"), t.Context()
	ref := a.Order("SLICED", 10000)
	first := a.Propose(lin, ref, 9700)
	must(t, a.Confirm(lin, first))
	if got := a.Record(first.ID); got.State != correction.Applied {
		t.Fatalf("the first: %s", got.State)
	}
	form := a.As("lin").Get("/orders/" + ref.SubMchID + "/SLICED/correction")
	says(t, "the form", form, "自你第一次改这笔订单起已少收 ¥3.00，每单上限 ¥5.00 还剩 ¥2.00")
	saysNot(t, "the form of somebody else", a.As("wu").Get("/orders/"+ref.SubMchID+"/SLICED/correction"), "自你第一次")
	within := a.Propose(lin, ref, 9500) // exactly what is left
	says(t, "the confirmation", a.As("lin").Get(fmt.Sprintf("/corrections/%d", within.ID)), "自你第一次改这笔订单起已少收 ¥3.00，每单上限 ¥5.00 还剩 ¥2.00")
	must(t, a.Confirm(lin, within))
	if got := a.Record(within.ID); got.State != correction.Applied {
		t.Fatalf("5 of 5 in all: %s", got.State)
	}
	one := a.Propose(lin, ref, 9499)
	if over := one.Over(); len(over) != 1 || over[0] != (correction.Over{Code: correction.OverPer, Limit: 500, Used: 500}) {
		t.Errorf("one fen more: %+v", over)
	}
	must(t, a.Confirm(lin, one))
	if got := a.Record(one.ID); got.State != correction.Awaiting || a.Sim.Posts("SLICED") != 2 {
		t.Fatalf("one fen more: %s, %d POSTs", got.State, a.Sim.Posts("SLICED"))
	}
	says(t, "the case", a.As("zhou").Get("/approvals?id="+fmt.Sprint(one.ID)), "这笔订单之前已少收 ¥5.00，连这次一共 ¥5.01", "自申请人第一次改这笔订单起已少收 ¥5.00")
	must(t, a.Service.Withdraw(ctx, lin, one.ID))
	// Somebody else has their own.
	theirs := a.Propose(wu, ref, 9200)
	must(t, a.Confirm(wu, theirs))
	if got := a.Record(theirs.ID); got.State != correction.Applied {
		t.Fatalf("somebody else's 3: %s", got.State)
	}
	// Prepared while it was within the limit, and confirmed when it no longer is: the
	// limit is judged with the claim.
	a.AgentLimit(correction.Limit{Per: fen(10000)})
	later := a.Propose(lin, ref, 9100)
	if len(later.Over()) != 0 {
		t.Fatalf("%+v", later.Over())
	}
	a.AgentLimit(correction.Limit{Per: fen(899)})
	must(t, a.Confirm(lin, later))
	if got := a.Record(later.ID); got.State != correction.Awaiting {
		t.Errorf("9 of 8.99 in all: %s", got.State)
	}
}

// The tier of an approval is that of all that anybody gave up of the order, and an
// approver's own limit that of what they wrote or approved.
func TestTiers_AddUpOverAnOrder(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin, wu, zhou, qian, ctx := a.Who("lin"), a.Who("wu"), a.Who("zhou"), a.Who("qian"), t.Context()
	a.Setting(correction.SettingLimits, correction.Limits{
		Roles:  map[correction.Role]correction.Limit{correction.Agent: {Per: fen(0)}},
		People: map[string]correction.Limit{fmt.Sprint(zhou.UserID): {Per: fen(1000)}},
	})
	a.Setting(correction.SettingTiers, []correction.Tier{{}, {From: 1500, Approvers: []int64{qian.UserID}}})
	step := func(ref correction.Ref, by correction.Actor, to correction.Fen) correction.Correction {
		t.Helper()
		c := a.Propose(by, ref, to)
		must(t, a.Confirm(by, c))
		return a.Record(c.ID)
	}
	ref := a.Order("TIERED", 10000)
	c := step(ref, lin, 9400)
	must(t, a.Service.Approve(ctx, zhou, c.ID, "", "")) // 6 of 10
	c = step(ref, wu, 8900)                             // 11 in all: above zhou's own limit, though each alone is not
	if err := a.Service.Approve(ctx, zhou, c.ID, "", ""); correction.CodeOf(err) != correction.CodeOverOwnLimit {
		t.Errorf("the second one by the same approver: %v", err)
	}
	// The store and the schema know it, too, whatever the service says.
	now := a.Record(c.ID)
	approved := correction.Event{State: correction.Approved, At: a.Clock.Now(), ActorID: zhou.UserID, Detail: correction.Detail{BodySHA256: fmt.Sprintf("%x", c.BodySHA256)}}
	claimed := correction.Event{State: correction.Claimed, At: a.Clock.Now(), ActorID: zhou.UserID}
	if err := a.Store.Approve(ctx, c.ID, now.Last().N, approved, claimed, &correction.Trial{Approver: zhou.UserID}); correction.CodeOf(err) != correction.CodeOverOwnLimit {
		t.Errorf("the store: %v", err)
	}
	if err := a.Store.Approve(ctx, c.ID, now.Last().N, approved, claimed, nil); !errors.Is(err, correction.ErrMoved) {
		t.Errorf("the schema: %v", err)
	}
	must(t, a.Service.Approve(ctx, qian, c.ID, "", ""))
	c = step(ref, lin, 8501) // 14.99 in all: still the first tier
	j, err := a.Service.Judge(ctx, qian, c)
	must(t, err)
	if j.Tier.From != 0 || j.Blind {
		t.Errorf("14.99 in all: %+v", j)
	}
	must(t, a.Service.Withdraw(ctx, lin, c.ID))
	c = step(ref, lin, 8500) // 15 in all, 4 of its own
	if j, err = a.Service.Judge(ctx, qian, c); err != nil || j.Tier.From != 1500 || !j.Blind {
		t.Errorf("15.00 in all: %+v, %v", j, err)
	}
	a.Setting(correction.SettingLimits, correction.Limits{Roles: map[correction.Role]correction.Limit{correction.Agent: {Per: fen(0)}}})
	if err := a.Service.Approve(ctx, zhou, c.ID, "", "85"); correction.CodeOf(err) != correction.CodeOtherTier {
		t.Errorf("by somebody of the lower tier: %v", err)
	}
	queue := a.As("zhou").Get("/approvals")
	says(t, "the queue", queue, "¥15.00 起")
	must(t, a.Service.Approve(ctx, qian, c.ID, "", "85"))
	if got := a.Record(c.ID); got.State != correction.Applied || a.Sim.Posts("TIERED") != 3 {
		t.Errorf("%s, %d POSTs", got.State, a.Sim.Posts("TIERED"))
	}
}

// People whom the console shuts out while they work: the session check is long past when
// their act reaches the record.
func TestPrepare_NotForSomebodyDisabledMeanwhile(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.Who("lin")
	c := a.Propose(lin, a.Order("EARLIER", 10000), 5000)
	must(t, a.Store.SetDisabled(t.Context(), "lin", true))
	late := c
	late.ConfirmNonce = []byte("another nonce of 16")
	late.ConfirmHash = [32]byte{1}
	late.Events = []correction.Event{{N: 1, State: correction.Prepared, At: time.Now(), ActorID: lin.UserID}}
	if _, err := a.Store.Prepare(t.Context(), late); !errors.Is(err, correction.ErrBarred) {
		t.Errorf("prepared by somebody who is disabled: %v", err)
	}
}
