package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
	"correction-console/internal/dayclose"
)

// decide presses a button of an edit that waits.
func decide(c *apptest.Client, name string, version int, do string) apptest.Answer {
	return c.Post("/settings/"+name+"/agreement", url.Values{"version": {strconv.Itoa(version)}, "do": {do}})
}

// narrowed adds a person who is for one merchant only.
func narrowed(t *testing.T, a *apptest.App, login string, role correction.Role) *apptest.Client {
	t.Helper()
	a.AddPerson(login, login, role, bankMerchant)
	return a.As(login)
}

func agentPer(t *testing.T, a *apptest.App) string {
	t.Helper()
	a.Service.ForgetSettings()
	set, err := a.Service.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	per := set.Limits.Roles[correction.Agent].Per
	if per == nil {
		return "none"
	}
	return strings.TrimSuffix(per.Yuan(), ".00")
}

// loosened has an edit that loosens kept, as the form of a page does.
func loosened(t *testing.T, c *apptest.Client, name string, changes ...string) {
	t.Helper()
	edited(t, c, name, changes...)
	if page := c.Get("/settings/" + name); !strings.Contains(page.Body, "等一位能管全部商户的主管同意") {
		t.Fatalf("%s: the page does not say that it waits\n%s", name, page.Body)
	}
}

// Each setting: what tightens holds at once, what loosens is kept and changes nothing
// until another supervisor for all merchants agrees; restoring is the same.
func TestAgreement_EverySetting(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou, qian := a.As("zhou"), a.As("qian")
	value := func(name string) any {
		t.Helper()
		a.Service.ForgetSettings()
		set, err := a.Service.Settings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return set.Typed(correction.SettingName(name))
	}
	same := func(x, y any) bool {
		p, q := x.(correction.Typed), y.(correction.Typed)
		if len(p) != len(q) {
			return false
		}
		for k, v := range p {
			if q[k] != v {
				return false
			}
		}
		return true
	}
	for name, edits := range map[string][2][]string{
		"limits": {{"agent.per", "100", "agent.count", "5"}, {"agent.per", "50", "agent.count", "6"}}, // mixed: waits as a whole
		"tiers":  {{"tier.1.from", "1000", "tier.1.who", "all"}, {"tier.1.from", "2000"}},
		"flags":  {{"share", "40"}, {"share", "45"}},
		"hours":  {{"day.0.open", "-"}, {"day.0.open", "1", "day.0.from", "00:00", "day.0.until", "08:00"}},
	} {
		initial := value(name)
		edited(t, zhou, name, edits[0]...)
		tight := value(name)
		if same(initial, tight) {
			t.Errorf("%s: what tightens does not hold at once", name)
		}
		for _, change := range [][]string{edits[1], nil} {
			if change == nil { // back to the initial value
				if res := zhou.Post("/settings/"+name+"/restore", url.Values{"n": {"0"}, "now": {"1"}}); res.Status != http.StatusSeeOther {
					t.Fatalf("%s: %d\n%s", name, res.Status, res.Body)
				}
			} else {
				loosened(t, zhou, name, change...)
			}
			if !same(value(name), tight) {
				t.Errorf("%s: loosened by one person", name)
			}
		}
		// Of the same author the later one counts: version 2 is withdrawn.
		if res := decide(qian, name, 2, "agree"); res.Status != http.StatusConflict {
			t.Errorf("%s, withdrawn: %d", name, res.Status)
		}
		if res := decide(zhou, name, 3, "agree"); res.Status != http.StatusForbidden || !strings.Contains(res.Body, "这是你自己提的") {
			t.Errorf("%s, their own: %d", name, res.Status)
		}
		if !same(value(name), tight) {
			t.Errorf("%s: loosened by its author", name)
		}
		page := qian.Get("/settings/" + name).Body
		for _, want := range []string{"第 3 版等同意", "放宽以后", `name="version" value="3"`, `name="do" value="agree"`} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: %q is not on the page", name, want)
			}
		}
		agreed(t, qian, name, 3)
		if !same(value(name), initial) {
			t.Errorf("%s: agreed to, and not in force: %v", name, value(name))
		}
		if res := decide(qian, name, 3, "agree"); res.Status != http.StatusConflict {
			t.Errorf("%s, twice: %d", name, res.Status)
		}
		history := zhou.Get("/settings/" + name + "/history").Body
		for _, want := range []string{"第 3 版", "钱敏 同意后生效", "没有生效的放宽", "本人收回"} {
			if !strings.Contains(history, want) {
				t.Errorf("%s: %q is not in the history", name, want)
			}
		}
	}
}

// The fault: a supervisor lifts the limit that binds them and corrects alone.
func TestAgreement_NobodyLiftsTheirOwnLimit(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou, qian := a.As("zhou"), a.As("qian")
	edited(t, qian, "limits", "supervisor.day", "50")
	edited(t, zhou, "limits", "supervisor.day", "")
	own, err := a.Service.Headroom(t.Context(), a.Who("zhou"), correction.Ref{}, 0)
	if err != nil || own.Limit.Day == nil || *own.Limit.Day != 5000 {
		t.Fatalf("their limit is gone: %+v %v", own, err)
	}
	if over := own.Check(10000, 1000); len(over) == 0 {
		t.Error("nobody has to agree with their correction")
	}
}

func TestAgreement_DeclineWithdrawAndOvertake(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou, qian := a.As("zhou"), a.As("qian")
	edited(t, zhou, "limits", "agent.per", "100")
	loosened(t, zhou, "limits", "agent.per", "200")
	// Only one at a time: nobody's edit is replaced by somebody else's.
	if res := qian.Post("/settings/limits", saved(formOf(t, qian.Get("/settings/limits").Body), "agent.per", "300")); res.Status != http.StatusConflict ||
		!strings.Contains(res.Body, "一次只能等一个") || !strings.Contains(res.Body, `value="300"`) {
		t.Errorf("%d", res.Status)
	}
	if res := decide(qian, "limits", 2, "decline"); res.Status != http.StatusSeeOther {
		t.Fatal(res.Status)
	}
	if res := decide(qian, "limits", 2, "agree"); res.Status != http.StatusConflict || agentPer(t, a) != "100" {
		t.Errorf("declined and agreed to: %d", res.Status)
	}
	loosened(t, zhou, "limits", "agent.per", "200")
	if res := decide(zhou, "limits", 3, "decline"); res.Status != http.StatusSeeOther { // withdraws it
		t.Fatal(res.Status)
	}
	loosened(t, zhou, "limits", "agent.per", "200")
	edited(t, qian, "limits", "agent.per", "80") // holds at once
	if agentPer(t, a) != "80" {
		t.Errorf("what waits keeps others from tightening")
	}
	if res := decide(qian, "limits", 4, "agree"); res.Status != http.StatusConflict || agentPer(t, a) != "80" {
		t.Errorf("it was made for another value: %d", res.Status)
	}
	list, err := a.Store.Decided(t.Context(), "limits", 10)
	if err != nil || len(list) != 3 {
		t.Fatal(list, err)
	}
	for i, want := range []correction.ProposalHow{correction.ProposalOvertaken, correction.ProposalWithdrawn, correction.ProposalDeclined} {
		if list[i].End.How != want {
			t.Errorf("version %d: %s, want %s", list[i].N, list[i].End.How, want)
		}
	}
	for _, bad := range []url.Values{{"version": {"x"}, "do": {"agree"}}, {"version": {"2"}, "do": {"force"}}, {"version": {"2"}}, {"do": {"agree"}}, {"version": {"2"}, "do": {"agree"}, "n": {"1"}}} {
		if res := qian.Post("/settings/limits/agreement", bad); res.Status != http.StatusBadRequest {
			t.Errorf("%v: %d", bad, res.Status)
		}
	}
	for _, name := range []string{"reasons", "tiers", "flags", "hours", "services"} { // the version of another setting
		if res := decide(qian, name, 4, "agree"); res.Status != http.StatusConflict {
			t.Errorf("%s: %d", name, res.Status)
		}
	}
}

// Judged again when it counts: who agrees, who made the edit, and the edit itself.
func TestAgreement_JudgedAtThatMoment(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou := a.As("zhou")
	person := a.Who("qian") // as a request read it before
	edited(t, zhou, "limits", "agent.per", "100")
	loosened(t, zhou, "limits", "agent.per", "200")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(a.Store.SetDisabled(t.Context(), "qian", true))
	if _, err := a.Service.Agree(t.Context(), person, "limits", 2, true, ""); correction.CodeOf(err) != correction.CodeWholeScope {
		t.Errorf("disabled meanwhile: %v", err)
	}
	must(a.Store.SetDisabled(t.Context(), "qian", false))
	qian := a.As("qian")
	must(a.Store.SetDisabled(t.Context(), "zhou", true))
	if res := decide(qian, "limits", 2, "agree"); res.Status != http.StatusConflict || !strings.Contains(res.Body, "提出的人已经停用") {
		t.Errorf("its author has left: %d", res.Status)
	}
	must(a.Store.SetDisabled(t.Context(), "zhou", false))
	if agentPer(t, a) != "100" {
		t.Fatal("loosened")
	}
	// Tiers name an approver who has left meanwhile: nobody could decide.
	wei := "wei"
	a.AddPerson(wei, "魏来", correction.Supervisor)
	zhou = a.As("zhou")
	edited(t, zhou, "tiers", "tier.0.who", "named", "tier.0.person."+id(a, "zhou"), "1")
	loosened(t, zhou, "tiers", "tier.0.person."+id(a, wei), "1")
	must(a.Store.SetDisabled(t.Context(), wei, true))
	if res := decide(qian, "tiers", 2, "agree"); res.Status != http.StatusConflict || !strings.Contains(res.Body, "魏来 不是在用的主管") {
		t.Errorf("%d\n%s", res.Status, res.Body)
	}
	// Whatever the program says, the schema lets nobody agree to their own edit.
	err := a.Store.Decide(t.Context(), correction.Agreement{Name: "limits", N: 2, How: correction.ProposalAgreed, ActorID: a.Who("zhou").UserID, At: a.Clock.Now()})
	if !errors.Is(err, correction.ErrNoRight) {
		t.Errorf("their own: %v", err)
	}
	for _, login := range []string{"lin", "he", "shen", wei} {
		err := a.Store.Decide(t.Context(), correction.Agreement{Name: "limits", N: 2, How: correction.ProposalAgreed, ActorID: a.Who(login).UserID, At: a.Clock.Now()})
		if !errors.Is(err, correction.ErrNoRight) {
			t.Errorf("%s: %v", login, err)
		}
	}
	if agentPer(t, a) != "100" {
		t.Error("loosened")
	}
}

// Of many who agree and decline at once, one decides.
func TestAgreement_OneDecides(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou := a.As("zhou")
	edited(t, zhou, "limits", "agent.per", "100")
	for round := range 5 {
		loosened(t, zhou, "limits", "agent.per", strconv.Itoa(200+round))
		list, err := a.Store.Proposals(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		n := list[0].N
		var mu sync.Mutex
		var won []bool
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				problems, err := a.Service.Agree(context.Background(), a.Who("qian"), "limits", n, i%2 == 0, "")
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && len(problems) == 0:
					won = append(won, i%2 == 0)
				case correction.CodeOf(err) != correction.CodeEdited:
					t.Errorf("%v %v", problems, err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d decided", len(won))
		}
		if in := agentPer(t, a) == strconv.Itoa(200+round); in != won[0] {
			t.Errorf("agreed %v, in force %v (%s)", won[0], in, agentPer(t, a))
		}
		if won[0] {
			edited(t, zhou, "limits", "agent.per", "100")
		}
	}
}

// One supervisor for all merchants: in force after 24 hours, with a banner until then.
// As soon as somebody else could agree they have to.
func TestAgreement_OneSupervisorWaits(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	narrowed(t, a, "mei", correction.Supervisor)
	zhou := a.As("zhou")
	edited(t, zhou, "limits", "agent.per", "100")
	// Saved while there were two: time alone is not enough, then or later.
	loosened(t, zhou, "limits", "agent.per", "200")
	must(a.Store.SetDisabled(ctx, "qian", true))
	a.Clock.Advance(25 * time.Hour)
	must(a.Service.EndWaits(ctx))
	if agentPer(t, a) != "100" {
		t.Fatal("the second supervisor was there when it was saved")
	}
	zhou, he, lin, some := a.As("zhou"), a.As("he"), a.As("lin"), a.As("mei")
	if page := zhou.Get("/settings/limits"); !strings.Contains(page.Body, "本人再保存一次") {
		t.Error("the page does not say what to do")
	}
	edited(t, zhou, "limits", "agent.per", "200") // once more
	for who, c := range map[string]*apptest.Client{"zhou": zhou, "he": he, "mei": some} {
		for _, path := range []string{"/account", "/settings"} {
			if page := c.Get(path); !strings.Contains(page.Body, "要放宽") || !strings.Contains(page.Body, "自动生效") {
				t.Errorf("%s, %s: no banner", who, path)
			}
		}
	}
	if page := lin.Get("/account"); strings.Contains(page.Body, "要放宽") {
		t.Error("an agent sees the banner")
	}
	a.Clock.Advance(24*time.Hour - time.Minute)
	must(a.Service.EndWaits(ctx))
	if agentPer(t, a) != "100" {
		t.Fatal("before the time was over")
	}
	// The schema holds, too.
	if err := a.Store.Decide(ctx, correction.Agreement{Name: "limits", N: 3, How: correction.ProposalWaited, At: a.Clock.Now()}); !errors.Is(err, correction.ErrNoRight) {
		t.Errorf("before the time was over: %v", err)
	}
	a.Clock.Advance(2 * time.Minute)
	must(a.Store.SetDisabled(ctx, "qian", false))
	must(a.Service.EndWaits(ctx))
	if agentPer(t, a) != "100" {
		t.Fatal("there is somebody to agree now")
	}
	if err := a.Store.Decide(ctx, correction.Agreement{Name: "limits", N: 3, How: correction.ProposalWaited, At: a.Clock.Now()}); !errors.Is(err, correction.ErrNoRight) {
		t.Errorf("there is somebody to agree now: %v", err)
	}
	must(a.Store.SetDisabled(ctx, "qian", true))
	must(a.Service.EndWaits(ctx))
	if agentPer(t, a) != "200" {
		t.Fatal("the time was over, and nobody could agree")
	}
	must(a.Service.EndWaits(ctx)) // once
	history, err := a.Store.SettingHistory(ctx, correction.SettingLimits, 9)
	if err != nil || len(history) != 2 || history[0].N != 3 || history[0].ActorName != "周启明" || history[0].End == nil || history[0].End.How != correction.ProposalWaited {
		t.Errorf("%+v %v", history, err)
	}
}

// An edit that can no longer come into force when its time is over is not promised any
// longer, and its history says so.
func TestAgreement_APromiseThatCannotBeKeptEnds(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	must(a.Store.SetDisabled(ctx, "qian", true))
	zhou := a.As("zhou")
	edited(t, zhou, "limits", "agent.per", "100")
	lin := fmt.Sprintf("person.%d.", a.Who("lin").UserID)
	edited(t, zhou, "limits", lin+"own", "1", lin+"per", "90")
	edited(t, zhou, "limits", lin+"per", "300")
	if list, err := a.Store.Proposals(ctx); err != nil || len(list) != 1 || !list[0].Alone {
		t.Fatalf("%+v %v", list, err)
	}
	pastOf(t, a, `UPDATE user SET role = 'auditor' WHERE username = 'lin'`)
	a.Clock.Advance(25 * time.Hour)
	must(a.Service.EndWaits(ctx))
	if list, err := a.Store.Proposals(ctx); err != nil || len(list) != 0 {
		t.Fatalf("%+v %v", list, err)
	}
	page := a.As("zhou").Get("/settings/limits").Body + a.As("zhou").Get("/settings/limits/history").Body
	if strings.Contains(page, "自动生效") || !strings.Contains(page, "设置或人员有变动") {
		t.Errorf("what the page says:\n%s", page)
	}
}

// The banner says what to do when the second supervisor is gone: nothing ends by itself.
func TestAgreement_TheBannerNamesNobodyWhoIsGone(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou := a.As("zhou")
	edited(t, zhou, "limits", "agent.per", "100")
	loosened(t, zhou, "limits", "agent.per", "200")
	if err := a.Store.SetDisabled(t.Context(), "qian", true); err != nil {
		t.Fatal(err)
	}
	a.Service.ForgetSettings()
	if page := zhou.Get("/account").Body; !strings.Contains(page, "要本人再保存一次") || strings.Contains(page, "主管同意，现在还没生效") {
		t.Error("the banner sends its readers to somebody who is not there")
	}
}

// No supervisor for all merchants: nothing is loosened, and operators are told.
func TestAgreement_NobodyCan(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	for _, login := range []string{"zhou", "qian"} {
		if err := a.Store.SetDisabled(t.Context(), login, true); err != nil {
			t.Fatal(err)
		}
	}
	he := a.As("he")
	service := url.Values{"do": {"save"}, "was": {""}, "service_id": {"2002100000000599000000000000001"}, "name": {"共享雨伞"}, "allow_zero": {"1"}}
	if res := he.Post("/settings/services", service); res.Status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	a.Clock.Advance(48 * time.Hour)
	if err := a.Service.EndWaits(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Store.Offering(t.Context(), service.Get("service_id")); !errors.Is(err, correction.ErrNoRow) {
		t.Errorf("in force: %v", err)
	}
	he = a.As("he")
	if page := he.Get("/settings"); !strings.Contains(page.Body, "没有一位在用的主管能管全部商户") || !strings.Contains(page.Body, "没人能同意") {
		t.Error("the operator is not told")
	}
}

// Services: operators edit, a supervisor for all merchants agrees to what loosens.
func TestAgreement_Services(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	he, zhou := a.As("he"), a.As("zhou")
	const bank = "2002100000000498310275514862033"
	form := func() url.Values { return formOf(t, he.Get("/settings/services?edit="+bank).Body) }
	now := func() correction.Offering {
		t.Helper()
		o, err := a.Store.Offering(t.Context(), bank)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	was := now()
	n := 0
	for _, change := range [][]string{{"allow_zero", "1"}, {"cap", "100"}, {"cap", ""}, {"cap", "50", "allow_zero", "1"}} {
		if res := he.Post("/settings/services", saved(form(), change...)); res.Status != http.StatusSeeOther {
			t.Fatalf("%v: %d\n%s", change, res.Status, res.Body)
		}
		if n++; now() != was {
			t.Fatalf("%v: loosened by an operator: %+v", change, now())
		}
	}
	if res := decide(he, "services", n, "agree"); res.Status != http.StatusForbidden || now() != was {
		t.Errorf("their own: %d", res.Status)
	}
	page := zhou.Get("/settings/services").Body
	for _, want := range []string{"充电宝租借：第 4 版等同意", "何川", "允许改到 0", "当时就提交不了"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if res := decide(narrowed(t, a, "mei", correction.Supervisor), "services", n, "agree"); res.Status != http.StatusForbidden {
		t.Errorf("a supervisor for one merchant: %d", res.Status)
	}
	if res := decide(he, "services", n, "decline"); res.Status != http.StatusSeeOther {
		t.Errorf("taken back: %d", res.Status)
	}
	// A tightening holds at once and ends what waits.
	he.Post("/settings/services", saved(form(), "allow_zero", "1"))
	n++
	if res := he.Post("/settings/services", saved(form(), "cap", "40")); res.Status != http.StatusSeeOther || now().Cap != 4000 {
		t.Fatalf("%d %+v", res.Status, now())
	}
	if res := decide(zhou, "services", n, "agree"); res.Status != http.StatusConflict || now().AllowZero {
		t.Errorf("overtaken: %d %+v", res.Status, now())
	}
	he.Post("/settings/services", saved(form(), "allow_zero", "1"))
	agreed(t, zhou, "services", n+1)
	if o := now(); !o.AllowZero || o.Cap != 4000 {
		t.Errorf("%+v", o)
	}
	if history := he.Get("/settings/services/history").Body; !strings.Contains(history, "周启明 同意") {
		t.Error("the history does not say who agreed")
	}
}

// What is of all merchants is edited by people who are for all merchants: at the page,
// and when the act happens.
func TestSettings_WholeScope(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	mei, ning := narrowed(t, a, "mei", correction.Supervisor), narrowed(t, a, "ning", correction.Operator)
	zhou, he := a.As("zhou"), a.As("he")
	edited(t, zhou, "limits", "agent.per", "100")
	for name, change := range map[string][]string{
		"reasons": {"reason.2.zh", "商品没取"}, "limits": {"agent.per", "50"}, "tiers": {"tier.1.from", "1000", "tier.1.who", "all"},
		"flags": {"share", "40"}, "hours": {"day.0.open", "-"},
	} {
		path := "/settings/" + name
		form := formOf(t, zhou.Get(path).Body)
		if page := mei.Get(path); page.Status != http.StatusOK || strings.Contains(page.Body, `value="save"`) || !strings.Contains(page.Body, "只有能管全部商户的主管才能修改") {
			t.Errorf("%s: the page of a supervisor for one merchant: %d", name, page.Status)
		}
		if page := mei.Get(path + "/history"); strings.Contains(page.Body, "恢复成这一版") {
			t.Errorf("%s: may be restored", name)
		}
		if res := mei.Post(path, saved(form, change...)); res.Status != http.StatusForbidden || !strings.Contains(res.Body, "能管全部商户的人") {
			t.Errorf("%s: %d", name, res.Status)
		}
		if res := mei.Post(path+"/restore", url.Values{"n": {"0"}, "now": {form.Get("n")}}); res.Status != http.StatusForbidden {
			t.Errorf("%s, restored: %d", name, res.Status)
		}
	}
	// Narrowed in the middle of a request: the transaction decides.
	boss := a.Who("mei")
	boss.Scope.All = true
	if _, saved, err := a.Service.EditSetting(t.Context(), boss, correction.SettingLimits, 1, correction.Typed{"agent.per": "50"}, ""); saved != correction.NotSaved || correction.CodeOf(err) != correction.CodeWholeScope {
		t.Errorf("%v %v", saved, err)
	}
	if _, saved, err := a.Service.EditSetting(t.Context(), boss, correction.SettingLimits, 1, correction.Typed{"agent.per": "150"}, ""); saved == correction.SavedNow || correction.CodeOf(err) != correction.CodeWholeScope {
		t.Errorf("%v %v", saved, err)
	}
	steward := a.Who("ning")
	steward.Scope.All = true
	if _, err := a.Service.PutOffering(t.Context(), steward, nil, correction.Offering{ServiceID: "S1", Name: "x"}, ""); correction.CodeOf(err) != correction.CodeWholeScope {
		t.Errorf("%v", err)
	}
	if err := a.Service.PutMerchant(t.Context(), steward, nil, correction.Merchant{SubMchID: "1900029999", Name: "x"}, ""); correction.CodeOf(err) != correction.CodeWholeScope {
		t.Errorf("%v", err)
	}
	loosened(t, zhou, "limits", "agent.per", "200")
	if res := decide(mei, "limits", 2, "agree"); res.Status != http.StatusForbidden {
		t.Errorf("agreed: %d", res.Status)
	}
	if res := decide(mei, "limits", 2, "decline"); res.Status != http.StatusForbidden || agentPer(t, a) != "100" {
		t.Errorf("declined: %d", res.Status)
	}
	// Nobody reads what is of merchants that they are not for.
	he.Post("/settings/merchants", saved(formOf(t, he.Get("/settings/merchants?edit=1900022254").Body), "name", "易行租车二店"))
	now := a.Service.DayName(a.Clock.Now())
	c := a.Propose(a.Who("zhou"), a.Order("WS-1", 20000), 13000)
	if err := a.Confirm(a.Who("zhou"), c); err != nil {
		t.Fatal(err)
	}
	if err := a.Service.Review(t.Context(), a.Who("qian"), c.ID, correction.ReviewSaid{N: a.Record(c.ID).Last().N, Mark: string(correction.ReviewFine)}); err != nil {
		t.Fatal(err)
	}
	if err := a.Web.DayClose.CloseDay(t.Context(), a.Who("qian"), now, 0, dayclose.DayClosed, ""); err != nil {
		t.Fatal(err)
	}
	if page := zhou.Get("/review/days/" + now).Body; !strings.Contains(page, "签署时：生效 1 笔，少收 ¥70.00") {
		t.Error("the closing does not tell its figures")
	}
	for _, path := range []string{"/settings/merchants", "/settings/merchants/history", "/review/days/" + now, "/settings"} {
		for _, c := range []*apptest.Client{mei, ning} {
			if page := c.Get(path).Body; strings.Contains(page, "易行租车二店") || strings.Contains(page, "70.00") {
				t.Errorf("%s tells of a merchant out of scope", path)
			}
		}
	}
	// Operators: their merchants only; services and new merchants are of all.
	form := formOf(t, he.Get("/settings/merchants?edit="+bankMerchant).Body)
	if res := ning.Post("/settings/merchants", saved(form, "name", "溪桥充电")); res.Status != http.StatusSeeOther {
		t.Errorf("their own merchant: %d", res.Status)
	}
	other := formOf(t, he.Get("/settings/merchants?edit=1900022254").Body)
	if page := ning.Get("/settings/merchants?edit=1900022254"); strings.Contains(page.Body, `value="save"`) {
		t.Error("the form of somebody else's merchant")
	}
	for _, v := range []url.Values{saved(other, "name", "别名"), {"do": {"save"}, "was": {""}, "sub_mchid": {"1900022999"}, "name": {"新商户"}}} {
		if res := ning.Post("/settings/merchants", v); res.Status != http.StatusForbidden {
			t.Errorf("%v: %d", v, res.Status)
		}
	}
	service := formOf(t, he.Get("/settings/services?edit=2002100000000498310275514862033").Body)
	if res := ning.Post("/settings/services", saved(service, "cap", "10")); res.Status != http.StatusForbidden {
		t.Errorf("a service: %d", res.Status)
	}
}

// The second supervisor sees which corrections of the last days would have been let
// through, of the merchants that they are for.
func TestAgreement_ShowsWhatItWouldHaveLetThrough(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou, qian := a.As("zhou"), a.As("qian")
	edited(t, zhou, "limits", "agent.per", "50")
	lin := a.Who("lin")
	c := a.Propose(lin, a.Order("TH-1", 20000), 9000) // 110 given up
	if err := a.Confirm(lin, c); err != nil {
		t.Fatal(err)
	}
	id := c.ID
	if got := a.Record(id).State; got != correction.Awaiting {
		t.Fatal(got)
	}
	loosened(t, zhou, "limits", "agent.per", "150")
	if page := qian.Get("/settings/limits").Body; strings.Contains(page, "#"+strconv.FormatInt(id, 10)) {
		t.Error("one that still waits is judged beforehand")
	}
	if err := a.Service.Decline(t.Context(), a.Who("qian"), id, "不批"); err != nil {
		t.Fatal(err)
	}
	page := qian.Get("/settings/limits").Body
	for _, want := range []string{"<h3>最近 30 天会因此放过的改价：1 笔", "#" + strconv.FormatInt(id, 10), "不用别人批准", "想少收 ¥110.00", "等你或别的主管同意"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	mei := narrowed(t, a, "mei", correction.Supervisor)
	if page := mei.Get("/settings/limits").Body; strings.Contains(page, "/corrections/"+strconv.FormatInt(id, 10)) {
		t.Error("a correction of a merchant out of scope")
	} else if !strings.Contains(page, "你负责的商户里，最近 30 天没有一笔会少一道批准或少一个标记。") || strings.Contains(page, "等你或别的主管") {
		t.Error("who covers some merchants is told about all of them")
	}
	if res := decide(zhou, "limits", 2, "decline"); res.Status != http.StatusSeeOther {
		t.Fatal(res.Status)
	}
	loosened(t, zhou, "limits", "agent.per", "100") // still needed a second person
	if page := qian.Get("/settings/limits").Body; !strings.Contains(page, "没有一笔会少一道批准或少一个标记") {
		t.Error("one that would not have been let through is listed")
	}
	a.Clock.Advance(31 * 24 * time.Hour)
	qian = a.As("qian")
	if page := qian.Get("/settings/limits").Body; strings.Contains(page, "1 笔") {
		t.Error("older ones are listed")
	}
}

// What an edit would have let through is listed with its amount, which those who may
// decide about it do not see before somebody has.
func TestAgreement_KeepsAmountsOfTheTopTier(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	blindTier(t, a)
	lin := a.Who("lin")
	ref := a.Order("VEIL-TH", veilBase)
	first := proposeLoudly(t, a, lin, ref)
	must(t, a.Confirm(lin, first))
	must(t, a.Service.Withdraw(t.Context(), lin, first.ID))
	second := proposeLoudly(t, a, lin, ref) // waits, and keeps the first one hidden
	must(t, a.Confirm(lin, second))
	plain := a.Propose(lin, a.Order("PLAIN-TH", 20000), 9000)
	must(t, a.Confirm(lin, plain))
	must(t, a.Service.Decline(t.Context(), a.Who("qian"), plain.ID, "不批"))
	loosened(t, a.As("qian"), "limits", "agent.per", "9999999")
	row := func(login string, id int64) string {
		t.Helper()
		_, after, ok := strings.Cut(a.As(login).Get("/settings/limits").Body, ">#"+strconv.FormatInt(id, 10)+"</a>")
		if !ok {
			t.Fatalf("%s does not see %d", login, id)
		}
		text, _, _ := strings.Cut(after, "</li>")
		return text
	}
	for login, want := range map[string][2]string{"zhou": {"金额不显示", "想少收 ¥110.00"}, "qian": {"金额不显示", "想少收 ¥110.00"}, "shen": {"想少收 ¥765,432.11", "想少收 ¥110.00"}} {
		for i, id := range []int64{first.ID, plain.ID} {
			if got := row(login, id); !strings.Contains(got, want[i]) {
				t.Errorf("%s, %d: %q, want %q", login, id, got, want[i])
			}
		}
	}
	body := a.As("zhou").Get("/settings/limits").Body
	for _, s := range veilSpellings {
		if strings.Contains(body, s) {
			t.Errorf("%q is shown", s)
		}
	}
	must(t, a.Service.Decline(t.Context(), a.Who("zhou"), second.ID, "不批"))
	if got := row("zhou", first.ID); !strings.Contains(got, "想少收 ¥765,432.11") {
		t.Errorf("decided, and still hidden: %q", got)
	}
}
