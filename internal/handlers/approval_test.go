package handlers_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
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
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fen(f correction.Fen) *correction.Fen { return &f }
func count(n int) *int                     { return &n }

// The whole way in the pages: above the allowance, to the queue, approved, sent once.
func TestApproval_FromTheFormToWeChat(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	a.AgentLimit(correction.Limit{Per: fen(5000), Day: fen(20000), DayCount: count(30)})
	lin, zhou := a.As("lin"), a.As("zhou")

	form := lin.Get(bankPath + "/correction")
	for _, want := range []string{"你的额度", "每单最多少收 ¥50.00", "今天还剩 ¥200.00，共 ¥200.00", "今天还能改 30 笔"} {
		if !strings.Contains(form.Body, want) {
			t.Errorf("the form lacks %q", want)
		}
	}
	preview := lin.Post("/corrections/preview", bankForm(field(t, form.Body, "base"), "10"))
	if !strings.Contains(preview.Body, "超出每单上限 ¥50.00，要主管审批") || !strings.Contains(preview.Body, "下一步：核对，提交审批") {
		t.Errorf("preview:\n%s", preview.Body)
	}
	path := prepare(t, lin, "10")
	if page := lin.Get(path); !strings.Contains(page.Body, "提交审批，申请改为 ¥10.00") {
		t.Errorf("the button does not say that it is for approval:\n%s", page.Body)
	}
	if res := confirm(t, lin, path, "10"); res.Status != http.StatusSeeOther || res.Location != path {
		t.Fatalf("submit: %d\n%s", res.Status, res.Body)
	}
	if s := state(t, a, path); s != correction.Awaiting || a.Sim.Posts(bankOrder) != 0 {
		t.Fatalf("it is %s with %d POSTs", s, a.Sim.Posts(bankOrder))
	}
	if page := lin.Get(path); !strings.Contains(page.Body, "已交给主管审批") || !strings.Contains(page.Body, "/withdrawal") {
		t.Errorf("the agent's page:\n%s", page.Body)
	}
	if home := lin.Get("/"); !strings.Contains(home.Body, "待审批") {
		t.Error("the agent's first page does not say that it waits")
	}
	if other := a.As("wu").Get(bankPath); !strings.Contains(other.Body, "林晓雯") || strings.Contains(other.Body, `data-key="e"`) {
		t.Error("a second agent may go at the same order")
	}

	id, _ := strconv.ParseInt(strings.TrimPrefix(path, "/corrections/"), 10, 64)
	if before := zhou.Get("/approvals"); !strings.Contains(before.Body, "提交以后还没有再读过订单") {
		t.Error("the queue does not say that the order was not read since")
	}
	if _, err := a.Service.Requery(t.Context(), id); err != nil { // as the reconciler does
		t.Fatal(err)
	}
	queue := zhou.Get("/approvals")
	for _, want := range []string{"1 笔待审批", "林晓雯", "¥99.00", "¥10.00", "−¥89.00", "超出每单上限 ¥50.00", "订单没有变化", "批准，改为 ¥10.00"} {
		if !strings.Contains(queue.Body, want) {
			t.Errorf("the queue lacks %q", want)
		}
	}
	if !strings.Contains(zhou.Get("/").Body, `href="/approvals"`) || !strings.Contains(zhou.Get("/").Body, `class="count"`) {
		t.Error("no badge in the navigation")
	}
	for name, form := range map[string]url.Values{"empty": {}, "blank": {"text": {"  "}}, "long": {"text": {strings.Repeat("字", 501)}}, "bidi": {"text": {"a\u202eb"}}} {
		res := zhou.Post(path+"/decline", form)
		if res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, `aria-invalid="true"`) {
			t.Errorf("declined with a reason that is %s: %d", name, res.Status)
		}
	}
	if res := zhou.Post(path+"/approval", url.Values{"hash": {strings.Repeat("0", 64)}}); res.Status != http.StatusConflict || a.Sim.Posts(bankOrder) != 0 {
		t.Errorf("approved other bytes: %d", res.Status)
	}
	if res := zhou.Post(path+"/approval", url.Values{"hash": {field(t, queue.Body, "hash")}}); res.Status != http.StatusSeeOther || res.Location != path {
		t.Fatalf("approve: %d\n%s", res.Status, res.Body)
	}
	c := record(t, a, path)
	d, ok := c.Decision()
	if c.State != correction.Applied || a.Sim.Posts(bankOrder) != 1 || !ok || d.ActorName != "周启明" || d.Detail.BodySHA256 != hex.EncodeToString(c.BodySHA256[:]) {
		t.Fatalf("it is %s, %d POSTs, decision %+v", c.State, a.Sim.Posts(bankOrder), d)
	}
	res := a.As("qian").Post(path+"/decline", url.Values{"text": {"金额不对"}})
	if res.Status != http.StatusConflict || !strings.Contains(res.Body, "周启明 已在") || !strings.Contains(res.Body, "批准") || !strings.Contains(res.Body, "金额不对") {
		t.Errorf("the second supervisor: %d\n%s", res.Status, res.Body)
	}
	if a.Sim.Posts(bankOrder) != 1 {
		t.Errorf("%d POSTs", a.Sim.Posts(bankOrder))
	}
	// What was approved does not use up the agent's own allowance.
	if page := lin.Get("/orders/1900021777/QH-20261123-0844170093/correction"); !strings.Contains(page.Body, "今天还剩 ¥200.00") {
		t.Error("an approved correction was taken from the allowance")
	}
}

func TestApproval_ReturnedIsDoneAgain(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	a.AgentLimit(correction.Limit{Per: fen(5000)})
	lin, zhou := a.As("lin"), a.As("zhou")
	path := prepare(t, lin, "10")
	confirm(t, lin, path, "10")
	if res := zhou.Post(path+"/return", url.Values{"text": {"按 3 小时算是 9 元，请改"}}); res.Status != http.StatusSeeOther {
		t.Fatalf("return: %d\n%s", res.Status, res.Body)
	}
	page := lin.Get(path)
	for _, want := range []string{"周启明退回修改", "按 3 小时算是 9 元，请改", "correction?from="} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the agent's page lacks %q", want)
		}
	}
	if home := lin.Get("/"); !strings.Contains(home.Body, "已退回") {
		t.Error("the first page does not say that it came back")
	}
	if s := state(t, a, path); s != correction.Returned || a.Sim.Posts(bankOrder) != 0 {
		t.Fatalf("it is %s", s)
	}
	again := prepare(t, lin, "60") // within the limit now
	if res := confirm(t, lin, again, ""); res.Status != http.StatusSeeOther || state(t, a, again) != correction.Applied {
		t.Fatalf("done again: %d, %s", res.Status, state(t, a, again))
	}
}

func TestApproval_AnOrderThatMovedVoidsIt(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	a.AgentLimit(correction.Limit{Per: fen(100)})
	lin, zhou := a.Who("lin"), a.Who("zhou")
	ctx := context.Background()
	must(t, a.Service.StartReconciling(ctx))

	shown := a.Propose(lin, a.Order("MOVED-1", 100000), 50000)
	must(t, a.Confirm(lin, shown))
	a.Order("MOVED-1", 90000) // lowered elsewhere
	desk := a.As("zhou")
	if desk.Get("/approvals?id=" + fmt.Sprint(shown.ID)); a.Record(shown.ID).State != correction.Awaiting {
		t.Errorf("opened: %s", a.Record(shown.ID).State)
	}
	res := desk.Post(fmt.Sprintf("/corrections/%d/check", shown.ID), url.Values{"back": {"approvals"}})
	if res.Status != http.StatusSeeOther || res.Location != "/approvals?id="+fmt.Sprint(shown.ID) {
		t.Fatalf("check now: %d %s", res.Status, res.Location)
	}
	if page := desk.Get(res.Location); !strings.Contains(page.Body, "订单已变化") || strings.Contains(page.Body, "formaction") || !strings.Contains(page.Body, "内容或金额有变") {
		t.Errorf("the page lets decide about an order that moved:\n%s", page.Body)
	}
	if c := a.Record(shown.ID); c.State != correction.Stale {
		t.Errorf("checked: %s", c.State)
	}

	watched := a.Propose(lin, a.Order("MOVED-2", 100000), 50000)
	must(t, a.Confirm(lin, watched))
	a.Order("MOVED-2", 90000)
	a.Clock.Advance(2 * correction.AwaitingEvery)
	a.Service.RunDue(ctx)
	if c := a.Record(watched.ID); c.State != correction.Stale {
		t.Errorf("looked after: %s", c.State)
	}

	late := a.Propose(lin, a.Order("MOVED-3", 100000), 50000)
	must(t, a.Confirm(lin, late))
	a.Order("MOVED-3", 90000)
	err := a.Service.Approve(ctx, zhou, late.ID, "", "")
	if c := a.Record(late.ID); c.State != correction.Stale || a.Sim.Posts("MOVED-3") != 0 {
		t.Errorf("approved: %s, %v, %d POSTs", c.State, err, a.Sim.Posts("MOVED-3"))
	}

	waits := a.Propose(lin, a.Order("WAITS", 100000), 50000)
	must(t, a.Confirm(lin, waits))
	a.Clock.Advance(correction.ApproveWithin - time.Second)
	a.Service.RunDue(ctx)
	if c := a.Record(waits.ID); c.State != correction.Awaiting {
		t.Errorf("before 24 hours: %s", c.State)
	}
	a.Clock.Advance(time.Second)
	if err := a.Service.Approve(ctx, zhou, waits.ID, "", ""); correction.KindOf(err) != correction.Conflict || a.Sim.Posts("WAITS") != 0 {
		t.Errorf("approved after 24 hours: %v", err)
	}
	must(t, a.Service.ExpireOverdue(ctx))
	if c := a.Record(waits.ID); c.State != correction.Expiry {
		t.Errorf("after 24 hours: %s", c.State)
	}
	if h, err := a.Store.Holder(ctx, waits.Ref); h != nil || err != nil {
		t.Errorf("an expired one holds its order: %+v %v", h, err)
	}
}

// Two supervisors press at the same moment: one decides, the other is told who did.
func TestApproval_Race(t *testing.T) {
	t.Parallel()
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	a := apptest.Start(t, apptest.Options{})
	a.AgentLimit(correction.Limit{Per: fen(0)})
	lin, zhou, qian := a.Who("lin"), a.Who("zhou"), a.Who("qian")
	ctx := context.Background()
	sent := 0
	for i := range rounds {
		no := fmt.Sprintf("RACE-%d", i)
		c := a.Propose(lin, a.Order(no, 100000), 99000)
		must(t, a.Confirm(lin, c))
		acts := []func() error{
			func() error { return a.Service.Approve(ctx, zhou, c.ID, "", "") },
			func() error { return a.Service.Approve(ctx, qian, c.ID, "", "") },
		}
		switch i % 4 {
		case 1:
			acts[1] = func() error { return a.Service.Decline(ctx, qian, c.ID, "不同意") }
		case 2:
			acts[0] = func() error { return a.Service.ReturnForEdit(ctx, zhou, c.ID, "请改") }
		case 3:
			acts[1] = func() error { return a.Service.Withdraw(ctx, lin, c.ID) }
		}
		errs := make([]error, len(acts))
		var wg sync.WaitGroup
		start := make(chan struct{})
		for j, act := range acts {
			wg.Go(func() {
				<-start
				errs[j] = act()
			})
		}
		close(start)
		wg.Wait()
		got := a.Record(c.ID)
		decisions := 0
		for _, e := range got.Events {
			switch e.State {
			case correction.Approved, correction.Declined, correction.Returned, correction.Withdrawn:
				decisions++
			}
		}
		posts := a.Sim.Posts(no)
		sent += posts
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if correction.KindOf(err) != correction.Conflict {
				t.Fatalf("round %d: %v", i, err)
			}
		}
		if decisions != 1 || won != 1 || posts > 1 || (posts == 1) != (got.State == correction.Applied) {
			t.Fatalf("round %d: %d decisions, %d won, %d POSTs, %s, errors %v", i, decisions, won, posts, got.State, errs)
		}
	}
	t.Logf("%d rounds tried, %d sent, 0 decided twice, 0 sent twice", rounds, sent)
}

// Nobody decides about their own correction or above their own limit, through no door.
func TestApproval_SelfApprovalMatrix(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	ctx := context.Background()
	zhou, qian := a.Who("zhou"), a.Who("qian")
	a.Setting(correction.SettingLimits, correction.Limits{
		Roles:  map[correction.Role]correction.Limit{correction.Agent: {Per: fen(0)}, correction.Supervisor: {Per: fen(20000)}},
		People: map[string]correction.Limit{fmt.Sprint(qian.UserID): {PerPermille: count(500)}},
	})
	doors := map[string]func(a2 correction.Actor, id int64) error{
		"approve": func(by correction.Actor, id int64) error { return a.Service.Approve(ctx, by, id, "", "") },
		"decline": func(by correction.Actor, id int64) error { return a.Service.Decline(ctx, by, id, "理由") },
		"return":  func(by correction.Actor, id int64) error { return a.Service.ReturnForEdit(ctx, by, id, "理由") },
	}
	people := map[string]correction.Actor{}
	for _, p := range apptest.People {
		people[p.Login] = a.Who(p.Login)
	}
	tried, n := 0, 0
	for author := range people {
		if !people[author].Can(correction.Correct) || author == "wang" { // wang may not touch that merchant
			continue
		}
		for _, given := range []correction.Fen{100, 20000, 20001, 50000, 50001} {
			for login, by := range people {
				for door, open := range doors {
					n++
					no := fmt.Sprintf("SELF-%d", n)
					c := a.Propose(people[author], a.Order(no, 100000), 100000-given)
					must(t, a.Confirm(people[author], c))
					if s := a.Record(c.ID).State; s != correction.Awaiting {
						continue // within a supervisor's own limit
					}
					may := by.Role == correction.Supervisor && login != author
					if door == "approve" {
						may = may && (login == "zhou" && given <= 20000 || login == "qian" && given <= 50000)
					}
					tried++
					err := open(by, c.ID)
					if (err == nil) != may {
						t.Errorf("%s %ss %s's reduction by %s: %v", login, door, author, given, err)
					}
					if !may && (a.Record(c.ID).State != correction.Awaiting || a.Sim.Posts(no) != 0) {
						t.Errorf("%s %ss %s's reduction by %s: it is %s, %d POSTs", login, door, author, given, a.Record(c.ID).State, a.Sim.Posts(no))
					}
				}
			}
		}
	}
	t.Logf("%d cells tried", tried)

	// Past the domain, the database itself says no.
	own := a.Propose(zhou, a.Order("SELF-DB", 100000), 70000)
	must(t, a.Confirm(zhou, own))
	high := a.Propose(people["lin"], a.Order("HIGH-DB", 100000), 70000)
	must(t, a.Confirm(people["lin"], high))
	for name, c := range map[string]correction.Correction{"their own": own, "above their limit": high} {
		now := a.Record(c.ID)
		e := correction.Event{State: correction.Approved, At: a.Clock.Now(), ActorID: zhou.UserID, Detail: correction.Detail{BodySHA256: hex.EncodeToString(c.BodySHA256[:])}}
		claim := correction.Event{State: correction.Claimed, At: a.Clock.Now(), ActorID: zhou.UserID}
		if err := a.Store.Approve(ctx, c.ID, now.Last().N, e, claim, nil); !errors.Is(err, correction.ErrMoved) {
			t.Errorf("the database answers an approval of %s with %v", name, err)
		}
		e.ActorID, e.Detail.BodySHA256 = qian.UserID, strings.Repeat("0", 64)
		if err := a.Store.Approve(ctx, c.ID, now.Last().N, e, claim, nil); !errors.Is(err, correction.ErrMoved) {
			t.Errorf("the database answers an approval of other bytes than %s with %v", name, err)
		}
		if got := a.Record(c.ID); got.State != correction.Awaiting || got.Last().N != now.Last().N {
			t.Errorf("what was refused of %s is on record: %+v", name, got.Last())
		}
	}
}

// Each tier from its first fen on: who may decide, and whether the total is typed blind.
func TestApproval_TierBoundaries(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	a.AgentLimit(correction.Limit{Per: fen(0)})
	ctx := context.Background()
	lin, zhou, qian := a.Who("lin"), a.Who("zhou"), a.Who("qian")
	a.Setting(correction.SettingTiers, []correction.Tier{{From: 0}, {From: 10000, Approvers: []int64{zhou.UserID, qian.UserID}}, {From: 50000, Approvers: []int64{qian.UserID}}})
	for i, x := range []struct {
		given       correction.Fen
		zhou, blind bool
	}{{1, true, false}, {9999, true, false}, {10000, true, false}, {10001, true, false}, {49999, true, false}, {50000, false, true}, {50001, false, true}, {99999, false, true}} {
		no := fmt.Sprintf("TIER-%d", i)
		c := a.Propose(lin, a.Order(no, 100000), 100000-x.given)
		must(t, a.Confirm(lin, c))
		j, err := a.Service.Judge(ctx, zhou, a.Record(c.ID))
		must(t, err)
		if j.Approve != x.zhou || j.Blind != x.blind {
			t.Errorf("%s: %+v", x.given, j)
		}
		page := a.As("qian").Get(fmt.Sprintf("/approvals?id=%d", c.ID))
		asked := c.Target.String()
		shows := strings.Contains(page.Body, asked+"<") || strings.Contains(page.Body, "改为 "+asked)
		if x.blind && (strings.Contains(page.Body, "−"+x.given.String()) || strings.Contains(page.Body, "批准，改为") || !strings.Contains(page.Body, `name="typed_total"`)) || !x.blind && !shows {
			t.Errorf("%s: the page shows the total: %v", x.given, shows)
		}
		if x.blind {
			for _, typed := range []string{"", "abc", (c.Target + 1).Yuan(), (c.Target - 1).Yuan()} {
				if err := a.Service.Approve(ctx, qian, c.ID, "", typed); correction.CodeOf(err) != correction.CodeTypedTotal {
					t.Errorf("%s approved blind with %q: %v", x.given, typed, err)
				}
			}
		}
		if err := a.Service.Approve(ctx, zhou, c.ID, "", c.Target.Yuan()); (err == nil) != x.zhou {
			t.Errorf("%s by zhou: %v", x.given, err)
		}
		if !x.zhou {
			must(t, a.Service.Approve(ctx, qian, c.ID, "", c.Target.Yuan()))
		}
		if got := a.Record(c.ID); got.State != correction.Applied || a.Sim.Posts(no) != 1 {
			t.Errorf("%s: %s", x.given, got.State)
		}
	}
}

// 50 corrections of one person at the same moment: what goes out alone never exceeds the
// day's allowance, in sum and in number, and the rest waits for a second person.
func TestLimits_NeverOvershotInParallel(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]correction.Limit{"sum": {Day: fen(10000)}, "count": {DayCount: count(7)}, "both": {Day: fen(6050), DayCount: count(9)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := apptest.Start(t, apptest.Options{})
			a.AgentLimit(limit)
			lin := a.Who("lin")
			var all []correction.Correction
			for i := range 50 {
				all = append(all, a.Propose(lin, a.Order(fmt.Sprintf("PAR-%d", i), 100000), 100000-correction.Fen(700+i)))
			}
			errs := make([]error, len(all))
			var wg sync.WaitGroup
			start := make(chan struct{})
			for i, c := range all {
				wg.Go(func() {
					<-start
					errs[i] = a.Confirm(lin, c)
				})
			}
			close(start)
			wg.Wait()
			var sum correction.Fen
			alone, waiting := 0, 0
			for i, c := range all {
				must(t, errs[i])
				switch got := a.Record(c.ID); got.State {
				case correction.Applied:
					alone++
					sum += c.Reduction()
				case correction.Awaiting:
					waiting++
				default:
					t.Errorf("%d is %s", c.ID, got.State)
				}
			}
			if limit.Day != nil && sum > *limit.Day || limit.DayCount != nil && alone > *limit.DayCount || alone+waiting != len(all) || alone == 0 {
				t.Errorf("%d alone for %s, %d wait", alone, sum, waiting)
			}
			spent, err := a.Store.Spent(t.Context(), lin.UserID, a.Service.DayStart(a.Clock.Now()))
			must(t, err)
			if spent.Sum != sum || spent.Count != alone {
				t.Errorf("on record as given up: %+v, in truth %s in %d", spent, sum, alone)
			}
			t.Logf("50 tried, %d alone for %s, %d wait, 0 above the allowance", alone, sum, waiting)
		})
	}
}

// A limit that is exactly met is not exceeded; the day begins at midnight in the zone.
func TestLimits_AtTheirBounds(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.Who("lin")
	n := 0
	try := func(l correction.Limit, given correction.Fen) correction.State {
		t.Helper()
		a.AgentLimit(l)
		n++
		c := a.Propose(lin, a.Order(fmt.Sprintf("AT-%d", n), 100000), 100000-given)
		must(t, a.Confirm(lin, c))
		return a.Record(c.ID).State
	}
	for _, x := range []struct {
		l     correction.Limit
		given correction.Fen
		want  correction.State
	}{
		{correction.Limit{Per: fen(500)}, 500, correction.Applied},
		{correction.Limit{Per: fen(500)}, 501, correction.Awaiting},
		{correction.Limit{PerPermille: count(10)}, 1000, correction.Applied},
		{correction.Limit{PerPermille: count(10)}, 1001, correction.Awaiting},
		{correction.Limit{Day: fen(2500)}, 1000, correction.Applied}, // 1,500 were given up above
		{correction.Limit{Day: fen(2500)}, 1, correction.Awaiting},
		{correction.Limit{DayCount: count(4)}, 1, correction.Applied},
		{correction.Limit{DayCount: count(4)}, 1, correction.Awaiting},
		{correction.Limit{}, 90000, correction.Applied},
	} {
		if got := try(x.l, x.given); got != x.want {
			limit, _ := json.Marshal(x.l)
			t.Errorf("%s of %s: %s", x.given, limit, got)
		}
	}
	now := a.Clock.Now().In(a.Service.Zone)
	midnight := a.Service.DayStart(now).AddDate(0, 0, 1)
	a.Clock.Advance(midnight.Sub(now))
	if got := try(correction.Limit{DayCount: count(1)}, 1); got != correction.Applied {
		t.Errorf("at midnight: %s", got)
	}
	if got := try(correction.Limit{DayCount: count(1)}, 1); got != correction.Awaiting {
		t.Errorf("the second one after midnight: %s", got)
	}
}

// unsure is the store whose answer to a submission gets lost after it was written.
type unsure struct{ correction.Store }

func (s unsure) Submit(ctx context.Context, id int64, ref correction.Ref, e correction.Event, trial *correction.Trial) error {
	return errors.Join(correction.ErrCommitUnknown, s.Store.Submit(ctx, id, ref, e, trial))
}

// A submission that is on record although its commit failed waits like any other: it is
// looked after, and never sent by itself.
func TestApproval_SubmissionWhoseCommitIsUnknown(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	a.AgentLimit(correction.Limit{Per: fen(0)})
	lin := a.Who("lin")
	ctx := context.Background()
	must(t, a.Service.StartReconciling(ctx))
	c := a.Propose(lin, a.Order("UNSURE", 100000), 50000)
	a.Service.Store = unsure{a.Store}
	if err := a.Confirm(lin, c); correction.KindOf(err) != correction.Unavailable {
		t.Fatalf("answered %v", err)
	}
	if got := a.Record(c.ID); got.State != correction.Awaiting || a.Sim.Posts("UNSURE") != 0 {
		t.Fatalf("it is %s", got.State)
	}
	a.Order("UNSURE", 90000)
	a.Clock.Advance(2 * correction.AwaitingEvery)
	a.Service.RunDue(ctx)
	if got := a.Record(c.ID); got.State != correction.Stale || a.Sim.Posts("UNSURE") != 0 {
		t.Errorf("looked after: %s", got.State)
	}
}

// A case whose agent may no longer correct its order is not offered to be returned, and
// the page does not promise that they read the decision.
func TestApprovals_NobodyToReturnItTo(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	a.AgentLimit(correction.Limit{Per: fen(100)})
	lin := a.Who("lin")
	c := a.Propose(lin, a.Order("GONE-1", 10000), 5000)
	must(t, a.Confirm(lin, c))
	zhou := a.As("zhou")
	page := func() string { return zhou.Get("/approvals?id=" + strconv.FormatInt(c.ID, 10)).Body }
	offer := []string{"退回修改</button>", "申请人马上看到", "退回或不批准时：理由"}
	for _, want := range append(offer, "已等", "刚提交") {
		if strings.Contains(page(), want) == (want == "已等") {
			t.Errorf("just submitted: %q is on the page: %v", want, want == "已等")
		}
	}
	a.Clock.Advance(5 * time.Minute)
	if !strings.Contains(page(), "已等 5 分钟") {
		t.Error("the page does not say how long it has waited")
	}
	for _, x := range [][2]string{
		{`UPDATE user SET disabled = 1 WHERE username = 'lin'`, "账号已停用"},
		{`UPDATE user SET disabled = 0, role = 'auditor' WHERE username = 'lin'`, "现在的角色是审计，不能改价"},
		{`UPDATE user SET role = 'agent', all_merchants = 0 WHERE username = 'lin'`, "已不再负责这家商户"},
	} {
		past(t, a, x[0])
		body := page()
		for _, gone := range offer {
			if strings.Contains(body, gone) {
				t.Errorf("%s: %q is on the page", x[1], gone)
			}
		}
		for _, want := range []string{"<p><strong>" + x[1] + "</strong></p>", "不批准时：理由", "不批准</button>", "决定和理由写入记录。"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %q", x[1], want)
			}
		}
	}
}
