package handlers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
	"correction-console/internal/ledger"
	"correction-console/internal/wechat/simulator"
)

// byHand is a console whose reconciler is driven by hand.
func byHand(t *testing.T) *apptest.App {
	t.Helper()
	a := apptest.Start(t, apptest.Options{Timeout: 700 * time.Millisecond})
	if err := a.Service.StartReconciling(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// later sets the clock forward and looks at what is due then.
func later(a *apptest.App, d time.Duration) {
	a.Clock.Advance(d)
	a.Service.RunDue(context.Background())
}

func script(t *testing.T, a *apptest.App, kind simulator.Kind, call string, times int) {
	t.Helper()
	if err := a.Sim.Script(simulator.Fault{Kind: kind, Call: call, Order: bankOrder, Times: times}); err != nil {
		t.Fatal(err)
	}
}

// corrected makes a correction of the power-bank order to ¥10 that meets a fault, or
// none.
func corrected(t *testing.T, a *apptest.App, kind simulator.Kind) string {
	t.Helper()
	lin := a.As("lin")
	path := prepare(t, lin, "10")
	if kind != "" {
		script(t, a, kind, simulator.CallModify, 1)
	}
	if res := confirm(t, lin, path, "10"); res.Status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	return path
}

func says(t *testing.T, what string, page apptest.Answer, want ...string) {
	t.Helper()
	if page.Status != http.StatusOK {
		t.Errorf("%s: %d", what, page.Status)
	}
	for _, w := range want {
		if !strings.Contains(page.Body, w) {
			t.Errorf("%s: the page lacks %q", what, w)
		}
	}
}

func saysNot(t *testing.T, what string, page apptest.Answer, lies ...string) {
	t.Helper()
	for _, l := range lies {
		if strings.Contains(page.Body, l) {
			t.Errorf("%s: the page says %q", what, l)
		}
	}
}

func TestUnknown_PageTellsWhatIsKnownAndWhatIsBeingDone(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{Timeout: 700 * time.Millisecond})
	a.Service.Policy.Recheck = time.Minute // long enough to look at a page before
	if err := a.Service.StartReconciling(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := corrected(t, a, simulator.TimeoutBefore)
	c := record(t, a, path)
	quiet := a.Service.QuietUntil(c)
	zone, _ := time.LoadLocation("Asia/Shanghai")
	clock := func(at time.Time) string { return at.In(zone).Format("15:04:05") }

	page := a.As("lin").Get(path)
	says(t, "at first", page, `data-live="often"`, "系统正在核对", "下次自动核对", clock(quiet), clock(c.Entered().At.Add(correction.AlarmAfter)), "查看最新结果", "立即核对")
	saysNot(t, "at first", page, "已经超过 10 分钟", "重新改价", "失败")
	if at := fmt.Sprint(quiet.UnixMilli()); !strings.Contains(page.Body, at) {
		t.Error("the page does not know when a verdict becomes possible")
	}

	script(t, a, simulator.ErrorBefore, simulator.CallQuery, 1)
	later(a, 61*time.Second)
	says(t, "after a look that failed", a.As("lin").Get(path), "上次自动核对", "没有连上微信支付")
	later(a, 61*time.Second)
	page = a.As("lin").Get(path)
	says(t, "after a look", page, "上次核对", "订单总额仍是 ¥99.00")
	saysNot(t, "after a look", page, "没有连上微信支付")

	if page := a.As("zhou").Get("/"); strings.Contains(page.Body, "超过 10 分钟") {
		t.Error("it alarms at once")
	}
	a.Clock.Advance(10 * time.Minute) // nobody looks meanwhile
	says(t, "after ten minutes", a.As("lin").Get(path), "已经超过 10 分钟还没有结果")
	for _, who := range []string{"zhou", "he", "shen"} {
		says(t, who, a.As(who).Get("/account"), "有 1 笔改价超过 10 分钟还没有结果", `href="`+path+`"`)
	}
	saysNot(t, "an agent", a.As("lin").Get("/account"), "超过 10 分钟")

	later(a, time.Second)
	later(a, correction.ReadGap(correction.QuietTime)+time.Second)
	page = a.As("lin").Get(path)
	says(t, "decided", page, `data-live="done"`, "这次没有生效", "重新改价", "系统还会自己复核")
	saysNot(t, "decided", page, "系统正在核对", "立即核对")
	saysNot(t, "decided", a.As("zhou").Get("/account"), "超过 10 分钟")
	later(a, 3*time.Hour)
	says(t, "read again", a.As("lin").Get(path), "复核了一次")
	later(a, 26*time.Hour)
	says(t, "read again twice", a.As("lin").Get(path), "确实没有改成")
	if n := a.Sim.Posts(bankOrder); n != 1 {
		t.Errorf("%d POSTs", n)
	}
}

func TestBusy_RetryIsOfferedWhenItsTimeHasComeAndIsChained(t *testing.T) {
	t.Parallel()
	a := byHand(t)
	path := corrected(t, a, simulator.Busy)
	id := strings.TrimPrefix(path, "/corrections/")
	at := record(t, a, path).Entered().At.Add(correction.ChargingWait)
	retry := `href="` + bankPath + "/correction?from=" + id + `"`
	page := a.As("lin").Get(path)
	says(t, "at first", page, `data-live="at"`, "微信正在扣款", strconv.FormatInt(at.UnixMilli(), 10), "到时这里会出现")
	saysNot(t, "at first", page, retry)
	saysNot(t, "who does not correct", a.As("shen").Get(path), retry, "到时这里会出现")
	if res := a.As("lin").Get(bankPath + "/correction?from=" + id); res.Status != http.StatusSeeOther {
		t.Errorf("the form opens too early: %d", res.Status)
	}
	later(a, time.Minute) // an event of the same state must not hide the refusal
	saysNot(t, "a minute later", a.As("lin").Get(path), retry)
	later(a, correction.ChargingWait-time.Minute)
	lin := a.As("lin")
	page = lin.Get(path)
	says(t, "when the time has come", page, retry, "现在可以再改一次", `data-live="done"`, "重新帮您改")
	saysNot(t, "when the time has come", page, "这几分钟暂时改不了")

	form := lin.Get(bankPath + "/correction?from=" + id)
	says(t, "the form", form, `name="from" value="`+id+`"`, `value="10.00"`)
	v := bankForm(field(t, form.Body, "base"), "10")
	v.Set("from", id)
	res := lin.Post(bankPath+"/correction", v)
	if res.Status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	if c := record(t, a, res.Location); strconv.FormatInt(c.RetryOf, 10) != id {
		t.Errorf("retry of %d, want %s", c.RetryOf, id)
	}
	page = lin.Get(path)
	says(t, "the first", page, "后来的重试", `href="`+res.Location+`"`)
	saysNot(t, "the first, while its retry is open", page, retry)
	confirm(t, lin, res.Location, "10")
	page = lin.Get(path)
	says(t, "the first, when its retry is applied", page, "重试过，那一笔现在是“已生效”")
	saysNot(t, "the first, when its retry is applied", page, "现在可以再改一次", "正在处理您这笔订单的扣款", "重新帮您改", "<p>订单总额仍是")
	says(t, "the retry", lin.Get(res.Location), "重试自", `href="`+path+`"`, "改价已生效")
}

func TestApplied_IsFollowedUntilTheCustomerHasPaid(t *testing.T) {
	t.Parallel()
	a := byHand(t)
	path := corrected(t, a, "")
	page := a.As("lin").Get(path)
	says(t, "following", page, "客户还没有付款", "最多 30 天", "下次自动核对", `data-live="done"`)
	saysNot(t, "following", page, "已结清")
	if err := a.Sim.Pay(bankMerchant, bankOrder); err != nil {
		t.Fatal(err)
	}
	later(a, 12*time.Minute)
	lin := a.As("lin")
	page = lin.Get(path)
	says(t, "paid", page, "已结清", "客户已按新金额付款", "微信支付单号", "已经付款成功")
	saysNot(t, "paid", page, "需处理", "下次自动核对")
	says(t, "the list", lin.Get("/"), "已结清")
	saysNot(t, "a supervisor's home", a.As("zhou").Get("/"), "要退")
}

func TestPaidOld_ARefundIsListedUntilASupervisorHasSeenToIt(t *testing.T) {
	t.Parallel()
	a := byHand(t)
	path := corrected(t, a, "")
	if err := a.Sim.Reset(bankMerchant, bankOrder); err != nil {
		t.Fatal(err)
	}
	if err := a.Sim.Pay(bankMerchant, bankOrder); err != nil {
		t.Fatal(err)
	}
	later(a, 12*time.Minute)
	lin, zhou := a.As("lin"), a.As("zhou")
	page := lin.Get(path)
	says(t, "the agent's page", page, "要退 ¥89.00", "微信支付单号", "等主管处理", "登记退差价")
	saysNot(t, "the agent's page", page, "微信会按新金额扣款", `/resolution"`)
	saysNot(t, "the agent's home", lin.Get("/"), "要做什么")
	says(t, "the supervisor's home", zhou.Get("/"), "需处理", "¥89.00", `href="`+path+`"`)
	says(t, "the supervisor's page", zhou.Get(path), `/resolution"`, "记为已处理", "不会退款")

	if res := lin.Post(path+"/resolution", url.Values{"text": {"退了"}}); res.Status != http.StatusForbidden {
		t.Errorf("an agent: %d", res.Status)
	}
	for _, text := range []string{"", "  \r\n ", strings.Repeat("长", correction.MaxText+1), "a\u202eb"} {
		res := zhou.Post(path+"/resolution", url.Values{"text": {text}})
		if res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, "还没有记录") || !strings.Contains(res.Body, `aria-invalid="true"`) {
			t.Errorf("%.12q: %d", text, res.Status)
		}
		if kept := strings.TrimSpace(text); kept != "" && !strings.Contains(res.Body, kept) {
			t.Errorf("%.12q is gone", text)
		}
	}
	posts := a.Sim.Requests()
	if res := zhou.Post(path+"/resolution", url.Values{"text": {"商户系统已退 ¥89.00\r\n并告诉了客户"}}); res.Status != http.StatusSeeOther || res.Location != path {
		t.Fatalf("%d %s\n%s", res.Status, res.Location, res.Body)
	}
	if a.Sim.Requests() != posts {
		t.Error("seeing to it asked WeChat")
	}
	page = zhou.Get(path)
	says(t, "seen to", page, "已记录", "主管已处理", "商户系统已退 ¥89.00", "周启明")
	saysNot(t, "seen to", page, `/resolution"`)
	saysNot(t, "the list", zhou.Get("/"), "要做什么")
	res := zhou.Post(path+"/resolution", url.Values{"text": {"再退一次"}})
	if res.Status != http.StatusConflict || !strings.Contains(res.Body, "你这次没有记录") || !strings.Contains(res.Body, "再退一次") {
		t.Errorf("twice: %d", res.Status)
	}
}

// conflict is a correction that the console cannot decide.
func conflict(t *testing.T, a *apptest.App) string {
	t.Helper()
	path := corrected(t, a, simulator.ErrorBefore)
	if err := a.Sim.LowerElsewhere(bankMerchant, bankOrder, 500); err != nil {
		t.Fatal(err)
	}
	later(a, 2*time.Second)
	if s := state(t, a, path); s != correction.NeedsPerson {
		t.Fatalf("state %s", s)
	}
	return path
}

func TestConflict_TwoSupervisorsSettleIt(t *testing.T) {
	t.Parallel()
	a := byHand(t)
	path := conflict(t, a)
	lin, zhou, qian := a.As("lin"), a.As("zhou"), a.As("qian")
	page := lin.Get(path)
	says(t, "the agent", page, `data-live="seldom"`, "两位主管", "等主管核对")
	saysNot(t, "the agent", page, `name="ruling"`)
	says(t, "the supervisor", zhou.Get(path), `name="ruling"`, "¥99.00", "¥10.00", "¥5.00", "依据")

	res := zhou.Post(path+"/resolution", url.Values{"text": {"商户后台是收银台改的"}})
	if res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, "选一个结论") || !strings.Contains(res.Body, "商户后台是收银台改的") {
		t.Errorf("without a ruling: %d", res.Status)
	}
	res = zhou.Post(path+"/resolution", url.Values{"ruling": {"not_applied"}})
	if res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, "写一句话") || !strings.Contains(res.Body, `value="not_applied" id="ruling-1" checked`) {
		t.Errorf("without a text: %d", res.Status)
	}
	if res := zhou.Post(path+"/resolution", url.Values{"ruling": {"not_applied"}, "text": {"商户后台是收银台改的"}}); res.Status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	n := record(t, a, path).Last().N
	agrees := fmt.Sprint(n)
	says(t, "the agent", lin.Get(path), "周启明", "没有生效", "等另一位主管核对")
	saysNot(t, "who proposed it", zhou.Get(path), `name="agrees"`)
	says(t, "the second", qian.Get(path), `name="agrees" value="`+agrees+`"`, "同意：没有生效", "商户后台是收银台改的")

	if res := zhou.Post(path+"/resolution", url.Values{"agrees": {agrees}, "text": {"我同意我自己"}}); res.Status != http.StatusForbidden || !strings.Contains(res.Body, "另一位主管") {
		t.Errorf("agreeing with oneself: %d", res.Status)
	}
	// A newer finding takes the older one's place: agreeing with that is too late.
	zhou.Post(path+"/resolution", url.Values{"ruling": {"unclear"}, "text": {"其实看不出来"}})
	res = qian.Post(path+"/resolution", url.Values{"agrees": {agrees}, "text": {"我也查过"}})
	if res.Status != http.StatusConflict || !strings.Contains(res.Body, "你这次没有记录") || !strings.Contains(res.Body, "我也查过") || state(t, a, path) != correction.NeedsPerson {
		t.Errorf("agreeing with what was replaced: %d %s", res.Status, state(t, a, path))
	}
	agrees = fmt.Sprint(n + 1)
	if res := qian.Post(path+"/resolution", url.Values{"agrees": {agrees}}); res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, `id="agree-text-e"`) {
		t.Errorf("agreeing without a text: %d", res.Status)
	}
	if res := qian.Post(path+"/resolution", url.Values{"agrees": {agrees}, "text": {"我也查不出来"}}); res.Status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	if s := state(t, a, path); s != correction.Resolved {
		t.Fatalf("state %s", s)
	}
	page = lin.Get(path)
	says(t, "settled", page, "已人工处理", "查不清有没有生效", "第二位主管同意", "钱敏", "其实看不出来", "我也查不出来", `data-live="done"`)
	if n := a.Sim.Posts(bankOrder); n != 1 {
		t.Errorf("%d POSTs", n)
	}
}

func TestConflict_NobodyChecksTheirOwn(t *testing.T) {
	t.Parallel()
	a := byHand(t)
	zhou := a.As("zhou")
	path := prepare(t, zhou, "10")
	script(t, a, simulator.ErrorBefore, simulator.CallModify, 1)
	confirm(t, zhou, path, "10")
	a.Sim.LowerElsewhere(bankMerchant, bankOrder, 500)
	later(a, 2*time.Second)
	page := zhou.Get(path)
	says(t, "the author", page, "自己提出的改价不能自己核对")
	saysNot(t, "the author", page, `name="ruling"`)
	if res := zhou.Post(path+"/resolution", url.Values{"ruling": {"applied"}, "text": {"我的"}}); res.Status != http.StatusForbidden || !strings.Contains(res.Body, "另一位主管") {
		t.Errorf("%d", res.Status)
	}
}

func TestAppliedLate_AlarmsAndIsSeenTo(t *testing.T) {
	t.Parallel()
	a := byHand(t)
	path := corrected(t, a, simulator.ErrorBefore)
	later(a, correction.QuietTime+time.Minute)
	later(a, correction.QuietTime)
	c := record(t, a, path)
	if c.State != correction.NotApplied {
		t.Fatalf("state %s", c.State)
	}
	if answer := a.Service.Gateway.Modify(context.Background(), c.Ref, c.Body, correction.NewSigning(a.Clock.Now())); answer.Class != correction.Accepted {
		t.Fatalf("%+v", answer)
	}
	later(a, 70*time.Minute)
	says(t, "the agent", a.As("lin").Get(path), "迟到生效", "后来发现已经生效", "请再联系客户", "等主管处理")
	for _, who := range []string{"zhou", "he"} {
		says(t, who, a.As(who).Get("/account"), "后来生效了", `href="`+path+`"`)
	}
	zhou := a.As("zhou")
	says(t, "the list", zhou.Get("/"), "需处理", "后来生效了")
	if res := zhou.Post(path+"/resolution", url.Values{"text": {"已告诉客户"}}); res.Status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	saysNot(t, "seen to", zhou.Get("/account"), "后来生效了")
}

func TestReadOnly_OffersNothingThatIsRefused(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	path := prepare(t, lin, "10")
	token := field(t, lin.Get(path).Body, "token")
	form := bankForm(field(t, lin.Get(bankPath+"/correction").Body, "base"), "12")
	a.Health = correction.Health{Free: 100 << 20, MinFree: 512 << 20}
	for _, who := range []string{"lin", "zhou", "he", "shen"} {
		page := a.As(who).Get("/")
		says(t, who, page, "改价已暂停")
		if n := strings.Count(page.Body, "磁盘快满了"); n != 1 {
			t.Errorf("%s is told %d times", who, n)
		}
	}
	says(t, "the order", lin.Get(bankPath), "恢复以后再改")
	saysNot(t, "the order", lin.Get(bankPath), bankPath+`/correction"`)
	says(t, "to confirm", lin.Get(path), "现在不能提交")
	saysNot(t, "to confirm", lin.Get(path), `name="token"`)
	for what, res := range map[string]apptest.Answer{
		"form": lin.Get(bankPath + "/correction"), "submit": lin.Post(bankPath+"/correction", form),
		"confirm": lin.Post(path+"/confirmation", url.Values{"token": {token}, "typed_total": {"10"}}),
	} {
		if res.Status != http.StatusServiceUnavailable || !strings.Contains(res.Body, "改价已暂停") || !strings.Contains(res.Body, "没有提交任何改价") {
			t.Errorf("%s: %d", what, res.Status)
		}
	}
	if a.Sim.Posts(bankOrder) != 0 {
		t.Error("something was sent")
	}
	a.Health = correction.Health{}
	says(t, "again", lin.Get(bankPath), bankPath+`/correction"`)
	if v := lin.Get(bankPath + "/correction"); field(t, v.Body, "total_amount") != "12" {
		t.Error("what was typed is gone")
	}
}

// Whatever pauses corrections: banner, alarm and the page of what was refused name the
// same cause, and no other.
func TestReadOnly_NamesItsOwnCause(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin, he := a.As("lin"), a.As("he")
	form := bankForm(field(t, lin.Get(bankPath+"/correction").Body, "base"), "12")
	causes := map[correction.Concern]string{correction.LowDisk: "磁盘快满了", correction.StoreFailed: "磁盘出错", correction.ClockRefused: "时钟"}
	for concern, machine := range map[correction.Concern]correction.Health{
		correction.LowDisk:      {Free: 100 << 20, MinFree: 512 << 20},
		correction.StoreFailed:  {Free: 1 << 40, StoreBroken: true},
		correction.ClockRefused: {Free: 1 << 40, Skew: -250 * time.Second, SkewSure: true, SkewAt: a.Clock.Now()},
	} {
		a.Health = machine
		for what, page := range map[string]apptest.Answer{
			"first page": lin.Get("/"), "operator's first page": he.Get("/"), "operations": he.Get("/operations"),
			"form": lin.Get(bankPath + "/correction"), "refused form": lin.Post(bankPath+"/correction", form), "order": lin.Get(bankPath),
		} {
			for other, words := range causes {
				if strings.Contains(page.Body, words) != (other == concern) && !(what == "operations" && other == correction.ClockRefused) {
					t.Errorf("%s, %s: %q", concern, what, words)
				}
			}
		}
	}
	// One answer that says so pauses nobody.
	a.Health = correction.Health{Free: 1 << 40, Skew: 250 * time.Second, SkewAt: a.Clock.Now()}
	if res := lin.Get(bankPath + "/correction"); res.Status != http.StatusOK || strings.Contains(res.Body, "改价已暂停") {
		t.Errorf("after one odd answer: %d", res.Status)
	}
}

func TestProof_IsAFileThatChecksByItself(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	path := corrected(t, a, "")
	page := a.As("lin").Get(path)
	says(t, "the record", page, `href="`+path+`/proof"`)
	says(t, "the record for a supervisor", a.As("zhou").Get(path), `href="`+path+`/proof"`, "console verify --key KEY")
	for _, who := range []string{"lin", "zhou", "he", "shen"} {
		res := a.As(who).Get(path + "/proof")
		if res.Status != http.StatusOK || res.Header.Get("Content-Type") != "application/json" ||
			res.Header.Get("Content-Disposition") != `attachment; filename="correction-1-proof.json"` {
			t.Fatalf("%s: %d %v", who, res.Status, res.Header)
		}
		key := verifierKey(t, a.As("he").Get("/operations").Body)
		p, err := ledger.CheckProof([]byte(res.Body), key)
		if err != nil || len(p.Events) != len(record(t, a, path).Events) {
			t.Errorf("%s: %v", who, err)
		}
	}
	for _, who := range []string{"wu", "wang"} {
		if res := a.As(who).Get(path + "/proof"); res.Status != http.StatusNotFound {
			t.Errorf("%s: %d", who, res.Status)
		}
	}
	if res := a.As("lin").Get("/corrections/99/proof"); res.Status != http.StatusNotFound {
		t.Errorf("none: %d", res.Status)
	}
	cp, err := a.Store.NewestCheckpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	root := strings.Split(cp.Note, "\n")[2]
	says(t, "the slip", a.As("lin").Get(path), fmt.Sprintf("记录校验点 %d 条", cp.Size), root[:16])
}

func verifierKey(t *testing.T, page string) string {
	t.Helper()
	_, rest, _ := strings.Cut(page, "验证公钥")
	_, rest, _ = strings.Cut(rest, "<pre")
	_, rest, _ = strings.Cut(rest, ">")
	key, _, ok := strings.Cut(rest, "</pre>")
	if !ok {
		t.Fatal("no verifier key")
	}
	return strings.NewReplacer("&#43;", "+").Replace(key)
}

func TestOperations_JudgesWhatWasMeasured(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	he := a.As("he")
	now := a.Clock.Now()
	fine := correction.Health{
		Started: now.Add(-time.Hour), Host: "https://api.mch.weixin.qq.com", SkewAt: now, Skew: 200 * time.Millisecond, SkewSure: true, LastAnswer: now,
		Free: 50 << 30, MinFree: 512 << 20, Database: 3 << 20, JournalFolder: "/mnt/journal", CheckpointTo: "/mnt/points", PublishedAt: now,
	}
	a.Health = fine
	wrong := func(kind correction.SettingsKind) func(*correction.Health) {
		return func(m *correction.Health) {
			m.Settings = correction.SettingsFault{Kind: kind, At: now, Status: 401, Code: "SIGN_ERROR", Message: "无权限<b>", RequestID: "08F1-7"}
		}
	}
	page := he.Get("/operations")
	says(t, "fine", page, "检查都正常", "https://api.mch.weixin.qq.com", "50.0 GiB", "0.2 秒", "/mnt/points", "验证公钥", "correction-console")
	saysNot(t, "fine", page, "state--fail", "state--warn")
	for name, c := range map[string]struct {
		change func(*correction.Health)
		class  string
		says   string
	}{
		"disk full":        {func(m *correction.Health) { m.Free = 100 << 20 }, "state--fail", "改价已暂停"},
		"disk low":         {func(m *correction.Health) { m.Free = 1 << 30 }, "state--warn", "会暂停改价"},
		"store broken":     {func(m *correction.Health) { m.StoreBroken = true }, "state--fail", "磁盘读写出错"},
		"clock off":        {func(m *correction.Health) { m.Skew = -75 * time.Second }, "state--warn", "75.0 秒"},
		"clock far off":    {func(m *correction.Health) { m.Skew = 250 * time.Second }, "state--fail", "现在发不出改价"},
		"clock, unsure":    {func(m *correction.Health) { m.Skew, m.SkewSure = 250*time.Second, false }, "state--warn", "还不能算数"},
		"clock, unsigned":  {func(m *correction.Health) { m.Skew, m.SkewUnsigned = 250*time.Second, true }, "state--fail", "没有签名"},
		"credentials":      {wrong(correction.WrongCredentials), "state--fail", "CONSOLE_WECHAT_CERT_SERIAL"},
		"permission":       {wrong(correction.NoPermission), "state--fail", "无权限&lt;b&gt;"},
		"key":              {wrong(correction.WrongKey), "state--fail", "CONSOLE_WECHAT_PUBLIC_KEY_ID"},
		"journal is gone":  {func(m *correction.Health) { m.JournalLacks = true }, "state--fail", "里没有已经发出的改价"},
		"older copies":     {func(m *correction.Health) { m.RollbackBlind = true }, "state--warn", "看不出来"},
		"backup host":      {func(m *correction.Health) { m.OnBackup = true }, "state--warn", "自动换回"},
		"no answer":        {func(m *correction.Health) { m.LastFailure, m.LastFailureCode = now.Add(time.Second), "unreachable" }, "state--warn", "没有问成（unreachable）"},
		"same disk":        {func(m *correction.Health) { m.JournalSame = true }, "state--warn", "CONSOLE_JOURNAL"},
		"points stay":      {func(m *correction.Health) { m.CheckpointTo = "" }, "state--warn", "CONSOLE_CHECKPOINT_FOLDER"},
		"keys are wrong":   {func(m *correction.Health) { m.ReloadFault, m.ReloadSince = "CONSOLE_TLS_KEY_FILE: chmod 600", now }, "state--fail", "CONSOLE_TLS_KEY_FILE: chmod 600"},
		"points are stuck": {func(m *correction.Health) { m.PublishFault = "write checkpoint: no space" }, "state--fail", "write checkpoint: no space"},
	} {
		a.Health = fine
		c.change(&a.Health)
		page := he.Get("/operations")
		says(t, name, page, c.class, c.says)
		saysNot(t, name, page, "检查都正常")
	}
	a.Health = fine
	saysNot(t, "an agent", a.As("lin").Get("/"), `href="/operations"`)
	says(t, "an operator", he.Get("/"), `href="/operations"`)
}

func TestMetrics_CountWithoutNamingOrders(t *testing.T) {
	t.Parallel()
	a := byHand(t)
	corrected(t, a, simulator.TimeoutBefore)
	a.Health = correction.Health{Free: 1 << 30, MinFree: 2 << 30, Skew: -1500 * time.Millisecond, SkewAt: a.Clock.Now(), OnBackup: true, PublishedAt: a.Clock.Now().Add(-time.Minute)}
	a.Clock.Advance(11 * time.Minute)
	req, err := http.NewRequest(http.MethodGet, a.URL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "monitoring.internal"
	req.Header.Set("Authorization", "Bearer "+apptest.MetricsToken)
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", res, err)
	}
	res.Body.Close()
	page := a.Client().Do(http.MethodGet, "/metrics", nil, req.Header)
	says(t, "metrics", page, "\nconsole_corrections_uncertain 1\n", "\nconsole_corrections_alarmed 1\n", "\nconsole_corrections_conflict 0\n", "\nconsole_corrections_due 0\n",
		"\nconsole_corrections_watched 1\n", "\nconsole_sent_total 1\n", `console_outcomes_total{state="unknown"} 1`, `console_outcomes_total{state="applied"} 0`,
		"\nconsole_read_only 1\n", "\nconsole_disk_free_bytes 1073741824\n", "\nconsole_on_backup_host 1\n", "\nconsole_clock_skew_milliseconds -1500\n", "# TYPE console_sent_total counter")
	if ct := page.Header.Get("Content-Type"); ct != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("type %s", ct)
	}
	saysNot(t, "metrics", page, bankOrder, bankMerchant)
	for line := range strings.Lines(page.Body) {
		if !strings.HasPrefix(line, "# ") && len(strings.Fields(line)) != 2 {
			t.Errorf("not a sample: %q", line)
		}
	}
}
