package handlers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/dayclose"
	"correction-console/internal/store/sqlite"
	"correction-console/internal/wechat/simulator"
)

// nextOrder is one more order like the power bank's.
func nextOrder(t *testing.T, a *apptest.App, i int) string {
	t.Helper()
	o, ok := a.Sim.Order(bankMerchant, bankOrder)
	if !ok {
		t.Fatal("no sample order")
	}
	o.OutOrderNo = fmt.Sprintf("PB_20261123_7%03d", i)
	a.Sim.Put(o)
	return o.OutOrderNo
}

// lowered is the path of a correction of an order of its own that took effect.
func lowered(t *testing.T, a *apptest.App, c *apptest.Client, i int, total string) string {
	t.Helper()
	path := "/orders/" + bankMerchant + "/" + nextOrder(t, a, i)
	page := c.Get(path + "/correction")
	form := bankForm(field(t, page.Body, "base"), total)
	form.Set("device.start_device_id", fmt.Sprintf("D-%d-A", i)) // so that no device comes again
	form.Set("device.end_device_id", fmt.Sprintf("D-%d-B", i))
	res := c.Post(path+"/correction", form)
	if res.Status != http.StatusSeeOther {
		t.Fatalf("submit: %d\n%s", res.Status, res.Body)
	}
	typed := ""
	if strings.Contains(c.Get(res.Location).Body, "typed_total") {
		typed = total
	}
	if done := confirm(t, c, res.Location, typed); done.Status != http.StatusSeeOther {
		t.Fatalf("confirm: %d\n%s", done.Status, done.Body)
	}
	if s := state(t, a, res.Location); s != correction.Applied {
		t.Fatalf("%s is %s", res.Location, s)
	}
	return res.Location
}

func idOf(path string) string { return strings.TrimPrefix(path, "/corrections/") }

func say(t *testing.T, c *apptest.Client, path, mark, text string) apptest.Answer {
	t.Helper()
	return c.Post(path+"/review", url.Values{"n": {field(t, c.Get(path).Body, "n")}, "mark": {mark}, "text": {text}})
}

func TestReview_QuestionIsAnsweredOnTheAuthorsPageAndMarkedAgain(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin, wu, zhou, shen := a.As("lin"), a.As("wu"), a.As("zhou"), a.As("shen")
	path := lowered(t, a, lin, 1, "10")

	if res := say(t, zhou, path, "", ""); res.Status != http.StatusUnprocessableEntity {
		t.Fatalf("no mark: %d", res.Status)
	}
	for _, mark := range []string{"queried", "wrong", "note"} {
		if res := say(t, zhou, path, mark, "  "); res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, "review-text-e") {
			t.Fatalf("%s without words: %d", mark, res.Status)
		}
	}
	if res := say(t, zhou, path, "queried", strings.Repeat("问", correction.MaxText+1)); res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, "问问问") {
		t.Fatalf("too long: %d", res.Status)
	}
	if res := say(t, zhou, path, "queried", "为什么改到 10 元？"); res.Status != http.StatusSeeOther || res.Location != path {
		t.Fatalf("question: %d %s", res.Status, res.Body)
	}
	home := lin.Get("/")
	if !strings.Contains(home.Body, "主管有问题问你") || !strings.Contains(home.Body, "为什么改到 10 元？") || !strings.Contains(home.Body, path+"#review") {
		t.Fatal("the question is not on the author's page")
	}
	if strings.Contains(wu.Get("/").Body, "主管有问题问你") || strings.Contains(zhou.Get("/").Body, "主管有问题问你") {
		t.Fatal("the question is on somebody else's page")
	}
	if res := zhou.Post(path+"/review", url.Values{"mark": {"answered"}, "text": {"替他答"}}); res.Status != http.StatusForbidden {
		t.Fatalf("answered by a supervisor: %d", res.Status)
	}
	if res := shen.Post(path+"/review", url.Values{"mark": {"fine"}}); res.Status != http.StatusForbidden {
		t.Fatalf("auditor: %d", res.Status)
	}
	if res := wu.Post(path+"/review", url.Values{"mark": {"answered"}, "text": {"我来答"}}); res.Status != http.StatusNotFound {
		t.Fatalf("another agent: %d", res.Status)
	}
	if res := say(t, lin, path, "answered", "客户只用了 3 小时。"); res.Status != http.StatusSeeOther {
		t.Fatalf("answer: %d %s", res.Status, res.Body)
	}
	if strings.Contains(lin.Get("/").Body, "主管有问题问你") {
		t.Fatal("the question stays after the answer")
	}
	if list := zhou.Get("/review"); !strings.Contains(list.Body, "客户只用了 3 小时。") {
		t.Fatal("the answer is not in the list to review")
	}
	if res := say(t, zhou, path, "fine", ""); res.Status != http.StatusSeeOther {
		t.Fatalf("fine: %d %s", res.Status, res.Body)
	}
	if res := say(t, lin, path, "note", "客户又打来电话道谢。"); res.Status != http.StatusSeeOther {
		t.Fatalf("note: %d", res.Status)
	}
	page := zhou.Get(path)
	for _, want := range []string{"周启明：问客服", "林晓雯：已回答", "周启明：没问题", "林晓雯 的备注", "客户又打来电话道谢。", "改价已生效"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	c := record(t, a, path)
	if e, ok := c.Review(); !ok || e.Detail.Review != correction.ReviewFine || c.State != correction.Applied || c.Due() {
		t.Fatalf("record: %+v", c)
	}
	if proof := lin.Get(path + "/proof"); proof.Status != http.StatusOK || !strings.Contains(proof.Body, `"answered"`) {
		t.Fatalf("the proof lacks the answer: %d", proof.Status)
	}
}

func TestReview_NobodyReviewsTheirOwnOrWhatIsOpen(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou, qian := a.As("zhou"), a.As("qian")
	path := lowered(t, a, zhou, 1, "60")
	for _, mark := range []string{"fine", "queried", "wrong"} {
		if res := zhou.Post(path+"/review", url.Values{"mark": {mark}, "text": {"自己看过"}}); res.Status != http.StatusForbidden {
			t.Errorf("own, %s: %d", mark, res.Status)
		}
	}
	if page := zhou.Get(path); strings.Contains(page.Body, `name="mark" value="fine"`) {
		t.Error("the page offers to review one's own")
	}
	res := zhou.Post("/review/signoff", url.Values{"id": {idOf(path)}, "mark": {"fine"}, "text": {"x"}})
	if res.Status != http.StatusSeeOther || !strings.Contains(res.Location, "signed=0") || !strings.Contains(zhou.Get(res.Location).Body, "要别人复核") {
		t.Errorf("own signed: %d %s", res.Status, res.Location)
	}
	if _, ok := record(t, a, path).Review(); ok {
		t.Fatal("their own correction is reviewed")
	}
	open := prepare(t, zhou, "50")
	if res := qian.Post(open+"/review", url.Values{"mark": {"note"}, "text": {"x"}}); res.Status != http.StatusConflict {
		t.Errorf("what is open: %d", res.Status)
	}
	a.Clock.Advance(11 * time.Minute) // it expires, which nobody put on record yet
	if res := qian.Post(open+"/review", url.Values{"mark": {"fine"}}); res.Status != http.StatusSeeOther {
		t.Errorf("expired: %d", res.Status)
	}
	if c := record(t, a, open); c.State != correction.Expiry {
		t.Errorf("it is %s", c.State)
	}
}

func TestReview_TwoSupervisorsAtOnceOneWins(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin, zhou, qian := a.As("lin"), a.As("zhou"), a.As("qian")
	path := lowered(t, a, lin, 1, "10")
	const rounds = 50
	lost := 0
	for i := range rounds {
		n := field(t, zhou.Get(path).Body, "n")
		type try struct {
			name string
			res  apptest.Answer
		}
		out := make(chan try, 2)
		var start, done sync.WaitGroup
		start.Add(1)
		for name, c := range map[string]*apptest.Client{"周启明": zhou, "钱敏": qian} {
			done.Go(func() {
				start.Wait()
				out <- try{name, c.Post(path+"/review", url.Values{"n": {n}, "mark": {"wrong"}, "text": {fmt.Sprintf("第 %d 轮，%s", i, name)}})}
			})
		}
		start.Done()
		done.Wait()
		close(out)
		won := ""
		for r := range out {
			switch r.res.Status {
			case http.StatusSeeOther:
				if won != "" {
					t.Fatalf("round %d: both won", i)
				}
				won = r.name
			case http.StatusConflict:
				lost++
				if !strings.Contains(r.res.Body, fmt.Sprintf("第 %d 轮，%s", i, r.name)) {
					t.Fatalf("round %d: what was typed is lost", i)
				}
				other := map[string]string{"周启明": "钱敏", "钱敏": "周启明"}[r.name]
				if !regexp.MustCompile(other + ` 在 \d\d-\d\d \d\d:\d\d：有误`).MatchString(r.res.Body) {
					t.Fatalf("round %d: who was faster is not told", i)
				}
			default:
				t.Fatalf("round %d: %d\n%s", i, r.res.Status, r.res.Body)
			}
		}
		if won == "" {
			t.Fatalf("round %d: nobody won", i)
		}
	}
	if c := record(t, a, path); len(c.Words()) != rounds || lost != rounds {
		t.Fatalf("%d words on record, %d told, want %d", len(c.Words()), lost, rounds)
	}
}

func TestSignOff_ManyAtOnceSkipsWhatSomebodyElseReviewed(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	putFlags(t, a, correction.FlagRules{})
	lin, zhou, qian := a.As("lin"), a.As("zhou"), a.As("qian")
	var paths []string
	for i := range 4 {
		paths = append(paths, lowered(t, a, lin, i, "90"))
	}
	page := zhou.Get("/review?tab=plain")
	picks := regexp.MustCompile(`name="id" value="(\d+:\d+)"`).FindAllStringSubmatch(page.Body, -1)
	if len(picks) != 4 {
		t.Fatalf("%d to sign, want 4\n%s", len(picks), page.Body)
	}
	form := url.Values{"tab": {"plain"}, "mark": {"fine"}, "text": {""}}
	for _, p := range picks {
		form.Add("id", p[1])
	}
	if res := zhou.Post("/review/signoff", form); res.Status != http.StatusUnprocessableEntity || strings.Count(res.Body, "checked") < 5 {
		t.Fatalf("without a remark: %d, %d checked", res.Status, strings.Count(res.Body, "checked"))
	}
	if res := say(t, qian, paths[1], "wrong", "我来看这笔"); res.Status != http.StatusSeeOther {
		t.Fatal(res.Status)
	}
	form.Set("text", "都看过了")
	res := zhou.Post("/review/signoff", form)
	if res.Status != http.StatusSeeOther || !strings.Contains(res.Location, "signed=3") || !strings.Contains(res.Location, "skipped="+idOf(paths[1])) {
		t.Fatalf("%d %s", res.Status, res.Location)
	}
	told := zhou.Get(res.Location)
	if !strings.Contains(told.Body, "已签署 3 笔，1 笔没有签") || !regexp.MustCompile(`钱敏 在 \S+ \S+：有误`).MatchString(told.Body) {
		t.Fatalf("what was skipped is not told\n%s", told.Body)
	}
	for i, p := range paths {
		e, _ := record(t, a, p).Review()
		want, text := correction.ReviewFine, "都看过了"
		if i == 1 {
			want, text = correction.ReviewWrong, "我来看这笔"
		}
		if e.Detail.Review != want || e.Detail.Text != text {
			t.Errorf("%s: %+v", p, e)
		}
	}
	for name, form := range map[string]url.Values{
		"none chosen": {"mark": {"fine"}},
		"no words":    {"id": {idOf(paths[0])}, "mark": {"queried"}},
	} {
		if res := zhou.Post("/review/signoff", form); res.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, res.Status)
		}
	}
	for name, form := range map[string]url.Values{
		"no mark":    {"id": {"1"}},
		"bad mark":   {"id": {"1"}, "mark": {"answered"}},
		"bad id":     {"id": {"x"}, "mark": {"fine"}},
		"two marks":  {"id": {"1"}, "mark": {"fine", "wrong"}},
		"field":      {"id": {"1"}, "mark": {"fine"}, "x": {"1"}},
		"event of 0": {"id": {"1:-1"}, "mark": {"fine"}},
	} {
		if res := zhou.Post("/review/signoff", form); res.Status != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", name, res.Status)
		}
	}
	if res := zhou.Post("/review/signoff", url.Values{"do": {"look"}, "id": {idOf(paths[0])}}); res.Status != http.StatusOK {
		t.Errorf("Enter: %d", res.Status)
	}
	if res := zhou.Get("/review?tab=nonsense"); res.Status != http.StatusNotFound {
		t.Errorf("no such part: %d", res.Status)
	}
}

func putFlags(t *testing.T, a *apptest.App, r correction.FlagRules) {
	t.Helper()
	u, err := a.Store.UserByName(context.Background(), "zhou")
	if err != nil {
		t.Fatal(err)
	}
	set, err := a.Store.Settings(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	n := 1
	for _, v := range set {
		if v.Name == correction.SettingFlags {
			n = v.N + 1
		}
	}
	value := fmt.Sprintf(`{"zero":%t,"share_permille":%d,"fast_seconds":%d,"sample_permille":%d}`, r.Zero, r.SharePermille, r.FastSeconds, r.SamplePermille)
	if err := a.Store.PutSetting(context.Background(), correction.SettingFlags, n, []byte(value), u.ID, "", a.Clock.Now()); err != nil {
		t.Fatal(err)
	}
}

func TestReview_ListShowsFlagsAndAgentsNeverSeeWhatWasDrawn(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	putFlags(t, a, correction.FlagRules{SharePermille: 500, SamplePermille: 1000})
	lin, zhou, shen := a.As("lin"), a.As("zhou"), a.As("shen")
	flagged, drawn := lowered(t, a, lin, 1, "10"), lowered(t, a, lin, 2, "90")
	list := zhou.Get("/review")
	for _, want := range []string{"降幅 89.9%，超过 50%", "随机抽中", "#" + idOf(flagged), "#" + idOf(drawn), "签署选中的"} {
		if !strings.Contains(list.Body, want) {
			t.Errorf("the list lacks %q", want)
		}
	}
	if n, err := a.Service.ReviewCount(context.Background(), correction.Actor{Role: correction.Supervisor, Scope: correction.Scope{All: true}}); err != nil || n != 2 {
		t.Errorf("count %d, %v", n, err)
	}
	if read := shen.Get("/review"); read.Status != http.StatusOK || strings.Contains(read.Body, `name="id"`) {
		t.Errorf("auditor: %d, or may choose", read.Status)
	}
	for _, who := range []*apptest.Client{zhou, shen} {
		says(t, "a reader of reviews", who.Get(drawn), "随机抽中")
		says(t, "a reader of reviews", who.Get(flagged), "降幅 89.9%，超过 50%")
	}
	for _, path := range []string{"/", "/corrections", drawn, "/orders/" + bankMerchant + "/" + bankOrder} {
		if body := lin.Get(path).Body; strings.Contains(body, "抽中") || strings.Contains(body, "sampled") {
			t.Errorf("the agent's %s tells what was drawn", path)
		}
	}
	columns := lin.Get("/corrections?columns=flags")
	if strings.Contains(columns.Body, "随机抽中") || strings.Contains(columns.Body, "降幅大") || !strings.Contains(zhou.Get("/corrections?columns=flags").Body, "随机抽中") {
		t.Error("the agent's list tells flags, or the supervisor's does not")
	}
	if res := lin.Get("/corrections?flag=sampled"); res.Status != http.StatusForbidden {
		t.Errorf("an agent filters by what was drawn: %d", res.Status)
	}
	for _, f := range []string{"sampled", "share"} {
		_, _, err := a.Web.ChangeLog.List(context.Background(), correction.Actor{UserID: 1, Role: correction.Agent, Scope: correction.Scope{All: true}}, changelog.LogFilter{Flag: f}, changelog.Page{Limit: 10})
		if correction.KindOf(err) != correction.Forbidden {
			t.Errorf("an agent may filter by %s: %v", f, err)
		}
	}
	if res := zhou.Post("/review/signoff", url.Values{"id": {idOf(flagged), idOf(drawn)}, "mark": {"fine"}}); res.Status != http.StatusSeeOther || !strings.Contains(res.Location, "signed=2") {
		t.Fatalf("%d %s", res.Status, res.Location)
	}
	if body := zhou.Get("/review").Body; !strings.Contains(body, "都复核完了") {
		t.Error("the list is not empty")
	}
}

func today(a *apptest.App) string { return a.Service.DayName(a.Clock.Now()) }

func TestDay_ClosesWhenNothingIsOpenAndReopensWithWords(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	putFlags(t, a, correction.FlagRules{SharePermille: 500})
	lin, zhou, qian, shen := a.As("lin"), a.As("zhou"), a.As("qian"), a.As("shen")
	flagged := lowered(t, a, lin, 1, "10")
	lowered(t, a, lin, 2, "90")
	path := "/review/days/" + today(a)
	page := zhou.Get(path)
	for _, want := range []string{"还有 1 笔待复核", "#" + idOf(flagged), "¥98.00", "disabled", "/corrections?from=" + today(a)} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	closing := url.Values{"n": {"0"}, "action": {"closed"}, "text": {"今天正常"}}
	if res := zhou.Post(path, closing); res.Status != http.StatusConflict || !strings.Contains(res.Body, "清零后才能签署") || !strings.Contains(res.Body, "今天正常") {
		t.Fatalf("closed while something is open: %d", res.Status)
	}
	say(t, zhou, flagged, "queried", "为什么？")
	if res := zhou.Post(path, closing); res.Status != http.StatusConflict || !strings.Contains(res.Body, "还有 1 笔在问客服") {
		t.Fatalf("closed with a question: %d", res.Status)
	}
	say(t, lin, flagged, "answered", "已核实")
	say(t, zhou, flagged, "fine", "")
	if res := shen.Post(path, closing); res.Status != http.StatusForbidden {
		t.Fatalf("auditor: %d", res.Status)
	}
	// Two at once: one wins, the other is told.
	out := make(chan apptest.Answer, 2)
	for _, c := range []*apptest.Client{zhou, qian} {
		go func() { out <- c.Post(path, closing) }()
	}
	won, told := 0, 0
	for range 2 {
		switch r := <-out; r.Status {
		case http.StatusSeeOther:
			won++
		case http.StatusConflict:
			if strings.Contains(r.Body, "已经签署或重开过这一天") {
				told++
			}
		}
	}
	if won != 1 || told != 1 {
		t.Fatalf("%d won, %d told", won, told)
	}
	page = zhou.Get(path)
	for _, want := range []string{"签署了日结", "生效 2 笔，少收 ¥98.00", "今天正常", "重开"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("closed, the page lacks %q", want)
		}
	}
	lowered(t, a, lin, 3, "80")
	if page = zhou.Get(path); !strings.Contains(page.Body, "此后又有 1 笔改价") {
		t.Error("what came since is not told")
	}
	if res := zhou.Post(path, url.Values{"n": {"1"}, "action": {"reopened"}, "text": {" "}}); res.Status != http.StatusUnprocessableEntity {
		t.Fatalf("reopened without words: %d", res.Status)
	}
	if res := zhou.Post(path, url.Values{"n": {"1"}, "action": {"reopened"}, "text": {"补进一笔"}}); res.Status != http.StatusSeeOther {
		t.Fatalf("reopen: %d %s", res.Status, res.Body)
	}
	if res := zhou.Post(path, url.Values{"n": {"2"}, "action": {"closed"}}); res.Status != http.StatusSeeOther {
		t.Fatalf("closed again: %d", res.Status)
	}
	records, err := a.Store.DayRecords(context.Background(), today(a))
	if err != nil || len(records) != 3 || records[1].Action != dayclose.DayReopened || records[1].Text != "补进一笔" || records[2].Counts.Effective != 3 ||
		records[2].Counts.Reduction != 8900+900+1900 || records[2].Checkpoint.Root() == "" || records[2].Checkpoint.Size <= records[0].Checkpoint.Size {
		t.Fatalf("records: %+v, %v", records, err)
	}
	if got := zhou.Get("/review").Body; !strings.Contains(got, records[2].ActorName) {
		t.Error("the review page does not tell who closed")
	}
	for path, want := range map[string]int{"/review/days/2026-02-30": 404, "/review/days/x": 404, "/review/days/" + a.Service.DayName(a.Clock.Now().AddDate(0, 0, 2)): 200} {
		if res := zhou.Get(path); res.Status != want {
			t.Errorf("%s: %d", path, res.Status)
		}
	}
	if res := zhou.Post("/review/days/"+a.Service.DayName(a.Clock.Now().AddDate(0, 0, 2)), url.Values{"n": {"0"}, "action": {"closed"}}); res.Status != http.StatusConflict {
		t.Errorf("a day ahead: %d", res.Status)
	}
}

func TestDay_SupervisorOfSomeMerchantsSeesThoseAndDoesNotClose(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	lowered(t, a, lin, 1, "90")
	now := a.Clock.Now()
	some := correction.Actor{UserID: 4, Role: correction.Supervisor, Scope: correction.Scope{Merchants: []string{"1"}}}
	d, err := a.Web.DayClose.Day(context.Background(), some, a.Service.DayName(now))
	if err != nil || d.Counts.All != 0 || d.Whole || d.MayClose {
		t.Fatalf("%+v, %v", d, err)
	}
	some.Scope.Merchants = []string{bankMerchant}
	if d, err = a.Web.DayClose.Day(context.Background(), some, a.Service.DayName(now)); err != nil || d.Counts.All != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	if err := a.Web.DayClose.CloseDay(context.Background(), some, a.Service.DayName(now), 0, dayclose.DayClosed, ""); correction.CodeOf(err) != correction.CodeWholeScope {
		t.Fatal(err)
	}
}

func TestReview_DisturbsNothingOfTheLookingAfter(t *testing.T) {
	t.Parallel()
	a := byHand(t)
	zhou, lin := a.As("zhou"), a.As("lin")
	path := corrected(t, a, "")
	id := record(t, a, path).ID
	entered := record(t, a, path).Entered().N
	say(t, zhou, path, "queried", "为什么？")
	say(t, lin, path, "note", "先记一笔")
	if c := record(t, a, path); c.Entered().N != entered || a.Service.Outlook(id).Next.IsZero() {
		t.Fatalf("what was said counts as a new state: %d, %v", c.Entered().N, a.Service.Outlook(id))
	}
	if err := a.Sim.Pay(bankMerchant, bankOrder); err != nil {
		t.Fatal(err)
	}
	later(a, 12*time.Minute)
	if c := record(t, a, path); c.Settled() != correction.PaidNew || c.Due() {
		t.Fatalf("after the payment: %q, due %t", c.Settled(), c.Due())
	}
	before := a.Sim.Requests()
	say(t, lin, path, "answered", "核实过")
	say(t, zhou, path, "fine", "")
	if next := a.Service.Outlook(id).Next; !next.IsZero() {
		t.Errorf("it is looked after again, at %v", next)
	}
	says(t, "settled and reviewed", zhou.Get(path), "已结清", "客户已按新金额付款", "周启明：没问题")
	later(a, 26*time.Hour)
	if n := a.Sim.Requests(); n != before {
		t.Errorf("%d more requests after it was settled", n-before)
	}
	if err := a.Service.StartReconciling(t.Context()); err != nil {
		t.Fatal(err)
	}
	if next := a.Service.Outlook(id).Next; !next.IsZero() {
		t.Error("a new start looks after it again")
	}
	checkRecord(t, a)
}

func TestReview_DoesNotCountAsAReadingOfAnUndoneOne(t *testing.T) {
	t.Parallel()
	a := byHand(t)
	path := corrected(t, a, simulator.ErrorBefore)
	later(a, correction.QuietTime+time.Minute)
	later(a, correction.QuietTime)
	zhou := a.As("zhou")
	c := record(t, a, path)
	if c.State != correction.NotApplied {
		t.Fatalf("state %s", c.State)
	}
	for i := range 3 {
		if res := say(t, zhou, path, "wrong", fmt.Sprintf("第 %d 次", i)); res.Status != http.StatusSeeOther {
			t.Fatal(res.Status, res.Body)
		}
	}
	list, err := a.Store.Unfinished(t.Context())
	if err != nil || len(list) != 1 || list[0].Looks != 0 || !list[0].Entered.Equal(c.Entered().At.Truncate(time.Millisecond)) {
		t.Fatalf("watched: %+v, %v", list, err)
	}
	later(a, 70*time.Minute)
	zhou = a.As("zhou") // the session has ended
	say(t, zhou, path, "fine", "看过了")
	if list, err = a.Store.Unfinished(t.Context()); err != nil || len(list) != 1 || list[0].Looks != 1 {
		t.Fatalf("after one reading: %+v, %v", list, err)
	}
	page := zhou.Get(path)
	says(t, "reviewed", page, "这次没有生效", "复核了一次", "周启明：有误", "周启明：没问题")
	// It took effect all the same: what was said of its former state does not count.
	if answer := a.Service.Gateway.Modify(context.Background(), c.Ref, c.Body, correction.NewSigning(a.Clock.Now())); answer.Class != correction.Accepted {
		t.Fatalf("%+v", answer)
	}
	later(a, 26*time.Hour)
	c = record(t, a, path)
	if _, ok := c.Review(); c.State != correction.AppliedLate || !c.Due() || ok {
		t.Fatalf("%s, due %t, reviewed %t", c.State, c.Due(), ok)
	}
	rows, _, err := a.Store.Log(t.Context(), changelog.LogFilter{Scope: correction.Scope{All: true}}, changelog.Page{Limit: 1})
	if err != nil || rows[0].Review != "" {
		t.Fatalf("the list says %q, %v", rows[0].Review, err)
	}
	checkRecord(t, a)
}

// The order is read for the follow-up, and somebody reviews before that is on record.
func TestReview_AtTheSameMomentDoesNotLoseAReading(t *testing.T) {
	t.Parallel()
	a := byHand(t)
	path := corrected(t, a, "")
	if err := a.Sim.Pay(bankMerchant, bankOrder); err != nil {
		t.Fatal(err)
	}
	zhou := a.As("zhou")
	a.Service.Gateway = &atQuery{Gateway: a.Service.Gateway, do: func() { say(t, zhou, path, "fine", "") }}
	later(a, 12*time.Minute)
	c := record(t, a, path)
	if e, ok := c.Review(); !ok || e.Detail.Review != correction.ReviewFine || c.Settled() != correction.PaidNew {
		t.Fatalf("settled %q, %d events", c.Settled(), len(c.Events))
	}
	checkRecord(t, a)
}

// checkRecord verifies the whole record and its proof.
func checkRecord(t *testing.T, a *apptest.App) {
	t.Helper()
	key := verifierKey(t, a.As("he").Get("/operations").Body)
	if v, err := sqlite.Verify(context.Background(), a.Data+"/console.db", []string{key}); err != nil || v.Events == 0 {
		t.Errorf("verify: %+v, %v", v, err)
	}
}

func TestReview_ShowsTheNextPageByKey(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	putFlags(t, a, correction.FlagRules{SharePermille: 100})
	lin, zhou := a.As("lin"), a.As("zhou")
	for i := range 22 {
		lowered(t, a, lin, i, "60")
	}
	first := zhou.Get("/review")
	more := regexp.MustCompile(`href="(/review\?before=\d+)"`).FindStringSubmatch(first.Body)
	if more == nil || !strings.Contains(first.Body, "显示 20 笔，还有 2 笔") || !strings.Contains(first.Body, "再看 2 笔") {
		t.Fatalf("the first page: %v", more)
	}
	next := zhou.Get(more[1])
	seen := map[string]int{}
	for _, page := range []string{first.Body, next.Body} {
		for _, m := range regexp.MustCompile(`name="id" value="(\d+):`).FindAllStringSubmatch(page, -1) {
			seen[m[1]]++
		}
	}
	if len(seen) != 22 || strings.Contains(next.Body, "再看") || !strings.Contains(next.Body, "回到最新的") {
		t.Fatalf("%d seen", len(seen))
	}
	// What was typed on a later page stays there.
	res := zhou.Post("/review/signoff", url.Values{"before": {strings.TrimPrefix(more[1], "/review?before=")}, "mark": {"wrong"}, "id": {"1:5"}})
	if res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, `value="1:`) || !strings.Contains(res.Body, "checked") {
		t.Errorf("%d", res.Status)
	}
}
