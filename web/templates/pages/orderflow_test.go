package pages_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"golang.org/x/net/html"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

func retailOrder() correction.Order {
	return correction.Order{
		SubMchID: "1900021777", ServiceID: "500002", OutOrderNo: "QH-20261123-0844170093", OrderID: "1512026112300038417",
		State: correction.OrderDoing, StateDescription: correction.MchComplete, Total: 17220, HasTotal: true,
		Lines: []correction.Line{
			{Name: correction.RepeatableName, Description: "冰美式咖啡 300ml", Amount: 1980, HasAmount: true, Count: 2},
			{Name: correction.RepeatableName, Description: "鸡胸肉三明治", Amount: 1590, HasAmount: true, Count: 1},
			{Name: correction.RepeatableName, Description: "每日坚果礼盒 750g", Amount: 12800, HasAmount: true, Count: 1},
			{Name: correction.RepeatableName, Description: "苏打水 480ml", Amount: 1350, HasAmount: true, Count: 3},
		},
		Discounts:  []correction.Line{{Name: "新客立减", Description: "首次开柜立减5元", Amount: 500, HasAmount: true, Count: 1}},
		Collection: correction.Collection{State: correction.UserPaying, Total: 17220, Paying: 17220},
		StartTime:  "20261123084417", EndTime: "20261123084602", StartLocation: "临江路 18 号一层大堂",
	}
}

func powerBankOrder() correction.Order {
	return correction.Order{
		SubMchID: "1900021408", ServiceID: "500001", OutOrderNo: "XQ|2026*1123", State: correction.OrderDoing, StateDescription: correction.MchComplete,
		Total: 9900, HasTotal: true, Collection: correction.Collection{State: correction.UserPaying, Total: 9900},
		Lines: []correction.Line{
			{Name: "收费标准", Description: "3元/1小时，24小时封顶30元，总封顶99元", Count: 1}, {Name: "使用时长", Description: "81小时12分", Count: 1},
		},
		StartTime: "20261120113820", EndTime: "借出后第四天",
	}
}

var (
	flowRetail = correction.Offering{ServiceID: "500002", Name: "无人柜购物", Industry: "retail", Cap: 100000}
	flowBank   = correction.Offering{ServiceID: "500001", Name: "充电宝租借", Industry: "power_bank", Cap: 9900}
)

func flowPage(l i18n.Lang, zh, en string) layout.Page {
	p := framePage(l, i18n.Text{ZH: zh, EN: en}, layout.NavMine)
	p.User.Role = correction.Agent
	p.DemoURL = ""
	return p
}

func flowOrder(l i18n.Lang, o correction.Order, obstacle correction.Obstacle) pages.OrderProps {
	p := pages.OrderProps{
		Page:     flowPage(l, "订单", "Order"),
		Industry: i18n.Text{ZH: "智慧零售", EN: "Unattended retail"}, NoAmounts: !correction.AnyAmount(o.Lines), CanRole: true,
		View: correction.OrderView{
			Order: o, ReadAt: frameNow, RequestID: "08F7C2A9D1-268435", Merchant: correction.Merchant{SubMchID: o.SubMchID, Name: "青禾无人柜"},
			Offering: flowRetail, Obstacle: obstacle, CanEdit: obstacle == "",
		},
	}
	for _, x := range o.Lines {
		p.LineSum += x.Amount
	}
	for _, x := range o.Discounts {
		p.DiscountSum += x.Amount
	}
	p.CanCorrect = p.View.CanEdit
	if obstacle == correction.Charging || obstacle == correction.Deposit {
		p.View.Refusal = &correction.Refusal{Obstacle: obstacle, At: frameNow.Add(-time.Minute)}
		p.TryAgainAt = frameNow.Add(2 * time.Minute)
	}
	return p
}

// flowForm is the form on an order with what was typed, checked by the domain.
func flowForm(l i18n.Lang, o correction.Order, svc correction.Offering, f correction.Form, show bool) pages.FormProps {
	c := correction.DefaultPolicy().Check(f, o, svc)
	industry, _ := correction.FindIndustry(svc.Industry)
	p := pages.FormProps{
		Page: flowPage(l, "修改金额", "Correct amount"), Base: o, Merchant: correction.Merchant{SubMchID: o.SubMchID, Name: "青禾无人柜"}, Offering: svc, Form: f,
		Lines: flowRows(f.Lines, o.Lines), Discounts: flowRows(f.Discounts, o.Discounts), NoAmounts: !correction.AnyAmount(o.Lines),
		Reasons: correction.DefaultReasons, ShowProblems: show, Draft: frameNow, MoreLines: 96, MoreDiscounts: 29, DeviceExpected: industry.Unattended,
		Summary: pages.SummaryProps{Current: o.Total, Checked: c, At: frameNow, ThresholdPercent: 50, Touched: true},
	}
	for _, n := range industry.Names {
		if !slices.Contains(p.NameChoices, n.Name) {
			p.NameChoices = append(p.NameChoices, n.Name)
		}
	}
	if show {
		p.Page.Problems = len(c.Problems)
	}
	if c.TotalKnown && c.Total >= 0 && c.Total < o.Total {
		p.Summary.KeptPermille = correction.Permille(c.Total, o.Total)
		p.Summary.AsksTotal = correction.DefaultPolicy().AsksTotal(o.Total, c.Total)
	}
	return p
}

func flowRows(rows []correction.FormLine, was []correction.Line) []pages.Row {
	var out []pages.Row
	for i, w := range was {
		at := slices.IndexFunc(rows, func(r correction.FormLine) bool { return r.Index == i })
		if at < 0 {
			out = append(out, pages.Row{Form: correction.FormLine{Index: i}, Kind: correction.Removed, Was: w, Delta: -w.Amount, HasDelta: w.HasAmount})
			continue
		}
		r := pages.Row{Form: rows[at], Kind: correction.Changed, Was: w}
		if a, err := correction.ParseYuan(rows[at].Amount); err == nil {
			r.Delta, r.HasDelta = a-w.Amount, true
		}
		if rows[at] == (correction.FormOf(correction.Order{Lines: was}, correction.Device{}).Lines[i]) {
			r.Kind = correction.Unchanged
		}
		out = append(out, r)
	}
	for _, r := range rows {
		if r.Index >= len(was) {
			out = append(out, pages.Row{Form: r, Kind: correction.Added})
		}
	}
	return out
}

func flowRetailForm() correction.Form {
	f := correction.FormOf(retailOrder(), correction.Device{Start: "QH-0718-02", End: "QH-0718-02"})
	f.Lines = slices.Delete(f.Lines, 2, 3)
	f.Lines[2].Count, f.Lines[2].Amount = "2", "9.00"
	f.ReasonCode, f.Reason, f.Ticket = "not_taken", "您反馈礼盒和一瓶苏打水未取走，经核实已减去这部分费用。", "GD-20261123-0197"
	f.Note, f.Base = "柜机录像 08:45:11 显示礼盒放回原位，苏打水取走两瓶。", strings.Repeat("ab", 32)
	return f
}

func flowBadForm() correction.Form {
	f := flowRetailForm()
	f.Lines[1].Amount, f.Lines[2].Count, f.Lines[0].Description = "159.00", "0", "好喝\U0001F600"
	f.ReasonCode, f.Note = "", ""
	f.Reason = strings.Repeat("如有疑问请拨打13800000000联系小林", 3)
	f.Device = correction.Device{Materiel: "abc"}
	f.Discounts[0].Amount = "1,000"
	f.Ticket = strings.Repeat("9", 65)
	return f
}

// flowForms are the forms in all their cases.
func flowForms(l i18n.Lang) map[string]pages.FormProps {
	out := map[string]pages.FormProps{}
	retail, bank := retailOrder(), powerBankOrder()
	fresh := flowForm(l, retail, flowRetail, correction.FormOf(retail, correction.Device{}), false)
	fresh.Summary.Touched, fresh.Draft = false, time.Time{}
	out["fresh"] = fresh
	out["edited"] = flowForm(l, retail, flowRetail, flowRetailForm(), false)
	out["bad"] = flowForm(l, retail, flowRetail, flowBadForm(), true)
	higher := flowRetailForm()
	higher.Lines[1].Amount = "159.00"
	higher.Discounts = nil
	out["higher"] = flowForm(l, retail, flowRetail, higher, true)
	added := flowRetailForm()
	added.Lines = append(added.Lines, correction.FormLine{Index: 4}, correction.FormLine{Index: 7, Name: "停车费", Amount: "1.00"})
	p := flowForm(l, retail, flowRetail, added, false)
	p.FocusField, p.MoreLines = "post_payments.4.name", 0
	out["added"] = p
	p = flowForm(l, retail, flowRetail, flowRetailForm(), false)
	p.Restored, p.MovedSince = true, true
	out["restored"] = p
	p.Restored, p.From = false, 10482
	out["from"] = p
	f := correction.FormOf(bank, correction.Device{Start: "XQ-10277"})
	f.Base = strings.Repeat("ab", 32)
	p = flowForm(l, bank, flowBank, f, false)
	p.Summary.Touched = false
	out["bank-fresh"] = p
	f.Lines = slices.Clone(f.Lines)
	f.Lines[1].Description, f.Total, f.ReasonCode, f.NoDevice = "2小时52分", "10.00", "timing", true
	out["bank"] = flowForm(l, bank, flowBank, f, false)
	f.Lines[1].Description, f.Total, f.NoDevice = "", "99.001", false
	out["bank-bad"] = flowForm(l, bank, flowBank, f, true)
	cleared := correction.FormOf(retail, correction.Device{})
	for i := range cleared.Lines {
		cleared.Lines[i].Amount = ""
	}
	out["cleared"] = flowForm(l, retail, flowRetail, cleared, true)
	return out
}

// flowCorrection is a correction of the retail order with these events after it
// was prepared.
func flowCorrection(o correction.Order, req correction.Request, events ...correction.Event) correction.Correction {
	at := frameNow.Add(-10 * time.Minute)
	c := correction.Correction{
		ID: 10482, Ref: correction.Ref{SubMchID: o.SubMchID, ServiceID: o.ServiceID, OutOrderNo: o.OutOrderNo}, Base: o, Target: req.Total, Body: req.Body(),
		Reason: correction.DefaultReasons[2], Ticket: "GD-20261123-0197", Note: "柜机录像显示礼盒放回原位。", AuthorID: 7, AuthorName: "林晓雯",
		PreparedAt: at, ConfirmUntil: at.Add(20 * time.Minute), MerchantName: "青禾无人柜", ServiceName: "无人柜购物", AsksTotal: true,
		Events: []correction.Event{{N: 1, State: correction.Prepared, At: at, ActorID: 7, ActorName: "林晓雯"}},
	}
	for i, e := range events {
		e.N, e.At = i+2, at.Add(time.Duration(i+1)*7*time.Second)
		c.Events = append(c.Events, e)
	}
	c.State = c.Last().State
	return c
}

func flowRequest() correction.Request {
	o := retailOrder()
	lines := slices.Delete(slices.Clone(o.Lines), 2, 3)
	lines[2].Count, lines[2].Amount = 2, 900
	return correction.Request{
		ServiceID: o.ServiceID, SubMchID: o.SubMchID, Lines: lines, Discounts: o.Discounts, Total: 3970,
		Reason: "您反馈礼盒和一瓶苏打水未取走，经核实已减去这部分费用。", Device: correction.Device{Start: "QH-0718-02", End: "QH-0718-02"},
	}
}

func flowProps(t *testing.T, l i18n.Lang, c correction.Correction) pages.CorrectionProps {
	t.Helper()
	req, err := correction.ParseBody(c.Body)
	if err != nil {
		t.Fatal(err)
	}
	p := pages.CorrectionProps{
		CorrectionView: correction.CorrectionView{
			C: c, Request: req, LineDiff: correction.Diff(c.Base.Lines, req.Lines), DiscountDiff: correction.Diff(c.Base.Discounts, req.Discounts),
			NoAmounts: !correction.AnyAmount(c.Base.Lines) && !correction.AnyAmount(req.Lines), Lowered: correction.Permille(c.Reduction(), c.Base.Total),
			ThresholdPercent: 50, Quiet: 7 * time.Minute, IsAuthor: true, CanReadOrder: true,
		},
		Page: flowPage(l, "改价", "Correction"), RequestID: "08F7C2A9D1-268435", BodyText: string(c.Body),
	}
	again := pages.FormURL(c.Ref) + "?from=" + strconv.FormatInt(c.ID, 10)
	switch c.State {
	case correction.Prepared:
		p.CanConfirm, p.CanWithdraw, p.Token, p.RedoURL = true, true, "TOKEN", again
	case correction.Unknown, correction.Claimed, correction.Sending:
		p.CanCheck, p.QuietUntil = true, frameNow.Add(2*time.Minute)
	case correction.Applied, correction.NeedsPerson:
	default:
		p.CanRedo, p.RedoURL = true, again
	}
	return p
}

// flowEvents lead to each state in which a correction can be seen.
func flowEvents() map[string][]correction.Event {
	base := retailOrder()
	target, between, paid, other := base, base, base, base
	target.Total, target.Collection.Total, target.Lines = 3970, 3970, flowRequest().Lines
	between.Total, between.Collection.Total = 9900, 9900
	paid.State, paid.Collection = correction.OrderDone, correction.Collection{State: correction.UserPaid, Total: 17220, Paid: 17220}
	other.StateDescription, other.Collection.State = "MCH_NEW", ""
	paidTarget := target
	paidTarget.Collection = correction.Collection{State: correction.UserPaid, Total: 3970, Paid: 3970}
	cancelled := base
	cancelled.State = correction.OrderRevoked

	claimed := correction.Event{State: correction.Claimed, ActorID: 7, ActorName: "林晓雯", Detail: correction.Detail{Typed: "39.70"}}
	sending := correction.Event{State: correction.Sending}
	end := func(s correction.State, d correction.Detail) []correction.Event {
		return []correction.Event{claimed, sending, {State: s, Detail: d}}
	}
	unknown := correction.Event{State: correction.Unknown, Detail: correction.Detail{Class: correction.Uncertain, Cause: correction.CauseTimeout, TookMS: 20012}}
	check := correction.Event{State: correction.Unknown, ActorID: 7, ActorName: "林晓雯", Detail: correction.Detail{Finding: correction.FoundBase, Reading: &base}}
	checked := func(s correction.State, f correction.Finding, o correction.Order) []correction.Event {
		return []correction.Event{claimed, sending, unknown, check, {State: s, ActorID: 7, ActorName: "林晓雯", Detail: correction.Detail{Finding: f, Reading: &o}}}
	}
	refused := func(o correction.Obstacle, reading correction.Order) []correction.Event {
		return end(correction.Rejected, correction.Detail{Class: correction.Refused, Obstacle: o, Finding: correction.FoundBase, Reading: &reading, Status: 400,
			Code: "INVALID_REQUEST", Message: "单据正在扣款中", RequestID: "08F7C2A9D1-268435", TookMS: 231})
	}
	return map[string][]correction.Event{
		"prepared": nil, "claimed": {claimed}, "sending": {claimed, sending},
		"applied":      end(correction.Applied, correction.Detail{Class: correction.Accepted, Status: 204, TookMS: 412, RequestID: "08F7C2A9D1-268435", Finding: correction.FoundTarget, Reading: &target}),
		"applied-paid": checked(correction.Applied, correction.FoundPaidTarget, paidTarget),
		"rejected":     refused("", base), "rejected-charging": refused(correction.Charging, base), "rejected-deposit": refused(correction.Deposit, base), "rejected-paid": refused("", paid),
		"not_sent":           {claimed, {State: correction.NotSent, Detail: correction.Detail{Cause: correction.CauseQueryFailed}}},
		"not_sent-sending":   end(correction.NotSent, correction.Detail{Class: correction.NothingSent, Cause: correction.CauseUnreachable}),
		"unknown":            {claimed, sending, unknown, check},
		"unknown-signature":  end(correction.Unknown, correction.Detail{Class: correction.Uncertain, Cause: correction.CauseSignature, Alarm: correction.AlarmSignature, Status: 204}),
		"not_applied":        checked(correction.NotApplied, correction.FoundBase, base),
		"not_applied-paid":   checked(correction.NotApplied, correction.FoundPaidBase, paid),
		"not_applied-cancel": checked(correction.NotApplied, correction.FoundCancelled, cancelled),
		"not_applied-less":   checked(correction.NotApplied, correction.FoundBetween, between),
		"conflict":           checked(correction.NeedsPerson, correction.FoundOtherState, other),
		"stale":              {claimed, {State: correction.Stale, Detail: correction.Detail{Reading: &between}}},
		"expired":            {{State: correction.Expiry}},
		"cancelled":          {{State: correction.Withdrawn, ActorID: 7, ActorName: "林晓雯"}},
	}
}

func flowMoved(l i18n.Lang) pages.MovedProps {
	then, now, req := retailOrder(), retailOrder(), flowRequest()
	now.Lines = slices.Clone(now.Lines)
	now.Lines[1].Amount = 990
	now.Lines = append(now.Lines[:3], correction.Line{Name: "停车费", Amount: 100, HasAmount: true})
	now.Total, now.Collection.Total = 15370, 15370
	return pages.MovedProps{
		Page: flowPage(l, "订单已变化", "Order changed"), Merchant: correction.Merchant{SubMchID: then.SubMchID, Name: "青禾无人柜"}, Then: then, Now: now, ReadAt: frameNow,
		Lines: req.Lines, Discounts: req.Discounts, Target: req.Total, CanRedo: true, RedoURL: pages.FormURL(correction.Ref{SubMchID: then.SubMchID, OutOrderNo: then.OutOrderNo}),
	}
}

// flowSamples are the pages of the order flow in all their cases.
func flowSamples(t *testing.T, l i18n.Lang) map[string]templ.Component {
	t.Helper()
	out := map[string]templ.Component{}
	out["order"] = pages.Order(flowOrder(l, retailOrder(), ""))
	for _, o := range correction.Obstacles {
		out["order-"+string(o)] = pages.Order(flowOrder(l, retailOrder(), o))
	}
	paid := powerBankOrder()
	paid.State, paid.Collection = correction.OrderDone, correction.Collection{State: correction.UserPaid, Total: 3000, Paid: 3000, Payments: []correction.Payment{
		{Amount: 3000, PaidType: "NEWTON", PaidTime: "20261123135821", TransactionID: "4200002981202611231358210417"}}}
	paid.Total = 3000
	out["order-paid-bank"] = pages.Order(flowOrder(l, paid, correction.Paid))
	running := retailOrder()
	running.StateDescription, running.Lines, running.Discounts, running.HasTotal, running.Collection = correction.UserConfirm, nil, nil, false, correction.Collection{}
	out["order-running"] = pages.Order(flowOrder(l, running, correction.NotCompleted))
	created := running
	created.State, created.StateDescription = correction.OrderCreated, ""
	out["order-created"] = pages.Order(flowOrder(l, created, correction.NotStarted))
	held := flowOrder(l, retailOrder(), "")
	held.CanCorrect, held.View.Earlier = false, frameRows(4)
	held.View.Holder = &correction.Holder{CorrectionID: held.View.Earlier[0].ID, UserID: 9, Name: "陈嘉禾", State: correction.Unknown, Since: frameNow.Add(-9 * time.Minute)}
	held.View.Preparing = []correction.Holder{{CorrectionID: held.View.Earlier[1].ID, UserID: 8, Name: "吴思源", State: correction.Prepared, Since: frameNow.Add(-time.Minute)}}
	held.ReadableIDs = map[int64]bool{held.View.Earlier[0].ID: true}
	out["order-held"] = pages.Order(held)
	reader := flowOrder(l, powerBankOrder(), "")
	reader.CanCorrect, reader.CanRole = false, false
	out["order-reader"] = pages.Order(reader)

	for name, p := range flowForms(l) {
		out["form-"+name] = pages.Form(p)
	}
	for name, events := range flowEvents() {
		p := flowProps(t, l, flowCorrection(retailOrder(), flowRequest(), events...))
		switch name {
		case "rejected-charging":
			p.CanRedo, p.TryAgainAt = false, frameNow.Add(time.Minute)
		case "not_applied-paid", "not_applied-cancel", "rejected-paid", "rejected-deposit":
			p.CanRedo = false
		case "stale":
			m := flowMoved(l)
			p.Moved = &m
		case "conflict", "unknown-signature":
			p.SeesInternals, p.CanCheck = true, false
		}
		out["correction-"+name] = pages.Correction(p)
	}
	typed := flowProps(t, l, flowCorrection(retailOrder(), flowRequest()))
	typed.TypedTotal, typed.TypedProblem, typed.Page.Problems = "3970", true, 1
	out["correction-typed"] = pages.Correction(typed)
	busy := flowProps(t, l, flowCorrection(retailOrder(), flowRequest()))
	busy.Busy = &correction.Holder{CorrectionID: 10481, Name: "陈嘉禾", State: correction.Sending, Since: frameNow}
	out["correction-busy"] = pages.Correction(busy)
	others := flowProps(t, l, flowCorrection(retailOrder(), flowRequest()))
	others.CanConfirm, others.CanWithdraw, others.Token, others.IsAuthor = false, false, "", false
	others.C.Warnings = []correction.Notice{{Field: "post_payments.0.count", Code: correction.WarnNeedsCount, Text: "a"}, {Field: "post_payments", Code: correction.WarnMissingName, Text: "b"}}
	out["correction-others"] = pages.Correction(others)
	bank := powerBankOrder()
	lines := slices.Clone(bank.Lines)
	lines[1].Description = "2小时52分"
	out["correction-bank"] = pages.Correction(flowProps(t, l, flowCorrection(bank, correction.Request{SubMchID: bank.SubMchID, Lines: lines, Total: 1000, Reason: "计时有误"})))
	failed := flowProps(t, l, flowCorrection(retailOrder(), flowRequest(), flowEvents()["unknown"]...))
	failed.CheckFailed = correction.CodeUnreachable
	out["correction-unknown-unread"] = pages.Correction(failed)

	out["moved"] = pages.Moved(flowMoved(l))
	gone := flowMoved(l)
	gone.Obstacle, gone.CanRedo = correction.Paid, false
	gone.Now.State, gone.Now.Collection = correction.OrderDone, correction.Collection{State: correction.UserPaid, Total: 15370, Paid: 15370}
	out["moved-paid"] = pages.Moved(gone)
	low := flowMoved(l)
	low.Now.Total = 3970
	out["moved-low"] = pages.Moved(low)
	return out
}

func TestFlowPages_KeepTheMarkupRules(t *testing.T) {
	t.Parallel()
	for _, l := range []i18n.Lang{i18n.ZH, i18n.EN} {
		samples := flowSamples(t, l)
		for _, name := range slices.Sorted(maps.Keys(samples)) {
			t.Run(string(l)+"/"+name, func(t *testing.T) {
				t.Parallel()
				page := renderPage(t, samples[name])
				checkMarkup(t, page)
				if strings.Contains(page, "%!") || strings.Contains(page, "<no value>") {
					t.Error("a format went wrong")
				}
			})
		}
	}
}

// An uncertain result is never called failed, and nothing invites to repeat it.
func TestCorrection_UnknownIsNotFailure(t *testing.T) {
	t.Parallel()
	for _, l := range []i18n.Lang{i18n.ZH, i18n.EN} {
		samples := flowSamples(t, l)
		for _, name := range []string{"correction-unknown", "correction-unknown-signature", "correction-unknown-unread", "correction-sending", "correction-claimed"} {
			page := strings.ToLower(renderPage(t, samples[name]))
			for _, word := range []string{"失败", "再试", "重试", "failed", "failure", "try again", "retry", "重新改价"} {
				if strings.Contains(page, word) {
					t.Errorf("%s %s says %q", l, name, word)
				}
			}
			if strings.Contains(page, "/confirmation") || strings.Contains(page, "/correction?from") {
				t.Errorf("%s %s offers to submit once more", l, name)
			}
		}
		if page := renderPage(t, samples["correction-unknown"]); !strings.Contains(page, `action="/corrections/10482/check"`) {
			t.Errorf("%s: the check is not offered", l)
		}
	}
}

// The confirmation shows what the stored bytes say, whatever the record beside
// them says.
func TestCorrection_ShowsTheStoredBytes(t *testing.T) {
	t.Parallel()
	c := flowCorrection(retailOrder(), flowRequest())
	c.Target = 1
	p := flowProps(t, i18n.ZH, c)
	page := renderPage(t, pages.Correction(p))
	for _, want := range []string{"提交，改为 ¥39.70", ">¥39.70<", "−¥132.50", "¥172.20", "1 行移除，1 行已改，3 行未改", "您反馈礼盒和一瓶苏打水未取走", html.EscapeString(p.BodyText)} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing", want)
		}
	}
	c.State = correction.Applied
	page += renderPage(t, pages.Correction(flowProps(t, i18n.ZH, c)))
	if strings.Contains(page, "¥0.01") || strings.Contains(page, "¥172.19") {
		t.Error("an amount is not that of the stored bytes")
	}
}

// Enter in a field submits a form by its first submit button.
func TestForms_EnterIsSafe(t *testing.T) {
	t.Parallel()
	samples := flowSamples(t, i18n.ZH)
	for name, action := range map[string]string{"correction-prepared": "/corrections/10482/confirmation", "form-edited": "/orders/1900021777/QH-20261123-0844170093/correction"} {
		doc, err := html.Parse(strings.NewReader(renderPage(t, samples[name])))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for n := range doc.Descendants() {
			if a, _ := attribute(n, "action"); n.Data != "form" || a != action {
				continue
			}
			for b := range n.Descendants() {
				if b.Data == "button" {
					_, disabled := attribute(b, "disabled")
					do, _ := attribute(b, "value")
					if found = true; !disabled && do != "recompute" {
						t.Errorf("%s: Enter would press %v", name, b.Attr)
					}
					break
				}
			}
		}
		if !found {
			t.Errorf("%s: no form posts to %s", name, action)
		}
	}
}

// Field names are a contract (product.md §6); what is not touched is sent again
// unchanged, so each row posts all that the order's line holds.
func TestForm_PostsEveryField(t *testing.T) {
	t.Parallel()
	posted := func(p pages.FormProps) map[string]string {
		doc, err := html.Parse(strings.NewReader(renderPage(t, pages.Form(p))))
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for n := range doc.Descendants() {
			name, ok := attribute(n, "name")
			if !ok || n.Data == "button" || n.Data == "meta" || strings.HasPrefix(name, "out_order_no") {
				continue
			}
			value, _ := attribute(n, "value")
			switch n.Data {
			case "select":
				for o := range n.Descendants() {
					if _, on := attribute(o, "selected"); on {
						value, _ = attribute(o, "value")
					}
				}
			case "textarea":
				if n.FirstChild != nil {
					value = n.FirstChild.Data
				}
			}
			if _, twice := out[name]; twice && name != "lang" && name != "next" && name != "theme" {
				t.Errorf("field %s twice", name)
			}
			out[name] = value
		}
		return out
	}
	got := posted(flowForms(i18n.ZH)["edited"])
	for name, want := range map[string]string{
		"post_payments.0.name": "商品信息", "post_payments.0.amount": "19.80", "post_payments.0.count": "2", "post_payments.0.description": "冰美式咖啡 300ml",
		"post_payments.3.amount": "9.00", "post_discounts.0.name": "新客立减", "post_discounts.0.amount": "5.00", "device.start_device_id": "QH-0718-02",
		"device.end_device_id": "QH-0718-02", "device.materiel_no": "", "reason_code": "not_taken", "ticket": "GD-20261123-0197", "no_device": "1",
		"base": strings.Repeat("ab", 32), "reason": "您反馈礼盒和一瓶苏打水未取走，经核实已减去这部分费用。", "note": "柜机录像 08:45:11 显示礼盒放回原位，苏打水取走两瓶。",
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %q (%v), want %q", name, v, ok, want)
		}
	}
	for name := range got {
		if strings.HasPrefix(name, "post_payments.2.") || name == "total_amount" || name == "from" {
			t.Errorf("%s is posted", name)
		}
	}
	got = posted(flowForms(i18n.ZH)["bank"])
	for name, want := range map[string]string{"total_amount": "10.00", "post_payments.1.description": "2小时52分", "post_payments.1.count": "1", "no_device": "1"} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %q (%v), want %q", name, v, ok, want)
		}
	}
	if _, ok := got["post_payments.0.amount"]; ok {
		t.Error("an order without line amounts has an amount column")
	}
	if got := posted(flowForms(i18n.ZH)["from"]); got["from"] != "10482" {
		t.Errorf("from is %q", got["from"])
	}
	if got := posted(flowForms(i18n.ZH)["cleared"]); len(got["total_amount"]) != 0 {
		t.Error("total_amount is filled in")
	} else if _, ok := got["total_amount"]; !ok {
		t.Error("no line has an amount and there is no field for the total")
	}
}

// Every problem is told on top and at its field.
func TestForm_TellsEveryProblemAtItsPlace(t *testing.T) {
	t.Parallel()
	for _, l := range []i18n.Lang{i18n.ZH, i18n.EN} {
		for _, name := range []string{"bad", "bank-bad", "higher", "cleared"} {
			p := flowForms(l)[name]
			page := renderPage(t, pages.Form(p))
			if len(p.Summary.Checked.Problems) == 0 {
				t.Fatalf("%s has no problems", name)
			}
			doc, err := html.Parse(strings.NewReader(page))
			if err != nil {
				t.Fatal(err)
			}
			links := 0
			for n := range doc.Descendants() {
				href, _ := attribute(n, "href")
				if n.Data != "a" || !strings.HasPrefix(href, "#") || href == "#main" {
					continue
				}
				links++
				if !strings.Contains(page, `id="`+href[1:]+`-e"`) {
					t.Errorf("%s %s: no message at %s", l, name, href)
				}
			}
			if links != len(p.Summary.Checked.Problems) {
				t.Errorf("%s %s: %d links for %d problems", l, name, links, len(p.Summary.Checked.Problems))
			}
		}
		if page := renderPage(t, pages.Form(flowForms(l)["edited"])); strings.Contains(page, "aria-invalid") || strings.Contains(page, "error-summary") {
			t.Errorf("%s: problems are told before anything was submitted", l)
		}
	}
}

// The script replaces parts by name: the fragment has no others than the form.
func TestParts_AreThoseOfTheForm(t *testing.T) {
	t.Parallel()
	parts := func(s string) []string {
		doc, err := html.Parse(strings.NewReader(s))
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for n := range doc.Descendants() {
			if v, ok := attribute(n, "data-part"); ok {
				out = append(out, v)
			}
		}
		slices.Sort(out)
		if len(slices.Compact(slices.Clone(out))) != len(out) {
			t.Errorf("a part stands twice: %v", out)
		}
		return out
	}
	for name, p := range flowForms(i18n.ZH) {
		form, fragment := parts(renderPage(t, pages.Form(p))), parts(renderPage(t, pages.Parts(p)))
		for _, want := range []string{"summary", "sum-post_payments", "count-reason", "draft", "diff-post_payments-0"} {
			if !slices.Contains(fragment, want) {
				t.Errorf("%s: the fragment lacks %s", name, want)
			}
		}
		for _, part := range fragment {
			if !slices.Contains(form, part) && part != "sum-post_discounts" {
				t.Errorf("%s: the form has no part %s", name, part)
			}
		}
		for _, part := range form {
			if !slices.Contains(fragment, part) {
				t.Errorf("%s: the fragment lacks %s", name, part)
			}
		}
	}
}

func TestForm_FocusesTheNewRow(t *testing.T) {
	t.Parallel()
	page := renderPage(t, pages.Form(flowForms(i18n.ZH)["added"]))
	if strings.Count(page, "data-focus") != 1 || strings.Count(page, "autofocus") != 1 {
		t.Error("not exactly one field has the focus")
	}
}

func TestOrder_LinksOnlyWhatMayBeOpened(t *testing.T) {
	t.Parallel()
	page := renderPage(t, flowSamples(t, i18n.ZH)["order-held"])
	rows := frameRows(4)
	if !strings.Contains(page, `href="`+pages.CorrectionURL(rows[0].ID)+`"`) {
		t.Error("a readable correction is not linked")
	}
	if strings.Contains(page, `href="`+pages.CorrectionURL(rows[1].ID)+`"`) {
		t.Error("a correction that may not be opened is linked")
	}
	if !strings.Contains(page, "陈嘉禾 在改这笔订单，从 14:21:31 开始") {
		t.Error("it does not say who holds the order and since when")
	}
	if strings.Contains(page, "/correction\"") {
		t.Error("a held order offers to be corrected")
	}
}

func TestOrder_FormatsWeChatTimes(t *testing.T) {
	t.Parallel()
	if page := renderPage(t, flowSamples(t, i18n.ZH)["order"]); !strings.Contains(page, "11-23 08:44:17 – 08:46:02") {
		t.Error("a time of WeChat's is not formatted")
	}
	if page := renderPage(t, flowSamples(t, i18n.ZH)["order-reader"]); !strings.Contains(page, "11-20 11:38:20 – 借出后第四天") {
		t.Error("a time as free text is not shown as it came")
	}
}

func TestURLs_EscapeTheOrderNumber(t *testing.T) {
	t.Parallel()
	ref := correction.Ref{SubMchID: "1900021408", OutOrderNo: "A_b-c|d*1"}
	if got, want := pages.FormURL(ref), "/orders/1900021408/A_b-c%7Cd%2A1/correction"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := pages.CorrectionURL(10482); got != "/corrections/10482" {
		t.Error(got)
	}
}
