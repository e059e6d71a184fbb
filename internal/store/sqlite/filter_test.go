package sqlite

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"correction-console/internal/auth"
	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/ledger"
)

// listed is what a list shows of a correction, with what else it is filtered by.
type listed struct {
	correction.Summary
	approver string
	devices  []string
	flags    []string
}

// Texts with words that are cut in every way: short and long, Chinese and ASCII, mixed,
// full-width, composed and not.
var (
	testNotes    = []string{"", "", "退款给用户", "设备无法归还，雨伞", "麟", "Refund ORDER-77", "ＡＢＣ１２３", "x", "退 款", "cafe\u0301 已关", "柜门no.5打不开", "a_b%c\"d'e"}
	testOutgoing = []string{"经核实设备计费异常，已按实际使用情况调整金额。", "已核实", "根据您的反馈，已为您调整订单金额。", "Adjusted as agreed."}
	testWords    = []string{
		"退", "款", "退款", "设备", "麟", "雨伞", "refund", "ORDER", "order-7", "77", "abc", "123", "ｂｃ１", "x", "z", "é", "已关", "no.5", "o.5打", "5", "打不开", "a_b", "%", "_b%c", "\"d", "'e", "异常，已",
		"调整金额", "。", "adjusted", "as", "Agreed.", "T-1", "t-", "R1", "r10", "R1234", "D-", "lin", "Name of wu", "商店", "店7", "1900000", "0101", "500001", "service", "其他", "Device fault", "fault", "没有这样的词", "0", "1", "12", "77", "1950", "201", "设异", "金情",
	}
)

// variety puts n corrections that differ in all that can be filtered on record, in some
// lots, and returns them newest first.
func variety(t testing.TB, s *Store, n int, rng *rand.Rand) (rows []listed, people []auth.User, merchants []string) {
	t.Helper()
	ctx := context.Background()
	for _, login := range []string{"lin", "wu", "wang"} {
		people = append(people, person(t, s, login, correction.Agent))
	}
	bosses := []auth.User{person(t, s, "zhou", correction.Supervisor), person(t, s, "qian", correction.Supervisor)}
	names := map[string]string{}
	for i := range 9 {
		id := strconv.Itoa(1900000101 + i)
		merchants = append(merchants, id)
		if i%3 != 0 { // names of the others are not known
			names[id] = fmt.Sprintf("商店%d号", i)
			must(t, s.PutMerchant(ctx, correction.Merchant{SubMchID: id, Name: names[id]}))
		}
	}
	must(t, s.PutOffering(ctx, correction.Offering{ServiceID: serviceID, Name: "Service A"}))
	reasons := slices.Clone(correction.DefaultReasons)
	bases := []correction.Fen{100, 333, 999, 1000, 9900, 20000, 123456}
	id := int64(1900)
	for len(rows) < n {
		lot := min(n-len(rows), 100)
		must(t, s.write(ctx, func(w *writeTx) error {
			for range lot {
				i := len(rows)
				author := people[rng.IntN(len(people))]
				r := correction.Ref{SubMchID: merchants[rng.IntN(len(merchants))], ServiceID: serviceID, OutOrderNo: fmt.Sprintf("R%d", i)}
				if rng.IntN(3) == 0 {
					r.ServiceID = "500002"
				}
				state := correction.States[rng.IntN(len(correction.States))]
				if rng.IntN(2) == 0 {
					state = correction.Applied
				}
				if i%11 == 0 && !state.Holds() {
					r.OutOrderNo = fmt.Sprintf("S%d", rng.IntN(6))
				}
				at := t0.Add(time.Duration(i) * time.Minute)
				if rng.IntN(20) == 0 { // a clock that is not right
					at = at.Add(time.Duration(rng.IntN(6000)-3000) * time.Minute)
				}
				id += 1 + int64(rng.IntN(60)) // numbers with gaps, in several blocks
				x, err := w.vary(ctx, rng, author, bosses, r, at, state, reasons, bases, id)
				if err != nil {
					return err
				}
				x.MerchantName = names[r.SubMchID]
				if r.ServiceID == serviceID {
					x.ServiceName = "Service A"
				}
				rows = append(rows, x)
			}
			return nil
		}))
	}
	s.directories.forget()
	slices.Reverse(rows)
	return rows, people, merchants
}

func (w *writeTx) vary(ctx context.Context, rng *rand.Rand, author auth.User, bosses []auth.User, r correction.Ref, at time.Time, state correction.State, reasons []correction.Reason, bases []correction.Fen, wish int64) (listed, error) {
	c := sample(author.ID, r, at)
	c.Base.Total = bases[rng.IntN(len(bases))]
	c.Base.Collection.Total, c.Base.Collection.Paying = c.Base.Total, c.Base.Total
	c.Target = correction.Fen(rng.IntN(int(c.Base.Total)))
	if rng.IntN(8) == 0 {
		c.Target = 0
	}
	c.Reason = reasons[rng.IntN(len(reasons))]
	c.Reason.Outgoing = testOutgoing[rng.IntN(len(testOutgoing))]
	c.Note = testNotes[rng.IntN(len(testNotes))]
	c.Ticket = []string{"", "", "T-1", "T-20261123-0457"}[rng.IntN(4)]
	device := correction.Device{Start: fmt.Sprintf("D-%d", rng.IntN(300))}
	if rng.IntN(3) == 0 {
		device.End = fmt.Sprintf("D-%d", rng.IntN(300))
	}
	c.Body = correction.Request{ServiceID: r.ServiceID, SubMchID: r.SubMchID, Lines: c.Base.Lines, Total: c.Target, Reason: c.Reason.Outgoing, Device: device}.Body()
	base, _ := c.Base.Snapshot()
	first, err := ledgerEntry(0, 1, c.Events[0])
	if err != nil {
		return listed{}, err
	}
	first.Origin = originFrom(c, base, []byte("[]"))
	id, err := w.insert(ctx, wish, first)
	if err != nil {
		return listed{}, err
	}
	x := listed{devices: []string{device.Start}}
	if device.End != "" && device.End != device.Start {
		x.devices = append(x.devices, device.End)
	}
	x.Summary = correction.Summary{
		ID: id, Ref: r, AuthorID: author.ID, AuthorLogin: author.Username, AuthorName: author.Name, Reason: c.Reason, Outgoing: c.Reason.Outgoing, Ticket: c.Ticket, Note: c.Note,
		BaseTotal: c.Base.Total, Target: c.Target, State: correction.Prepared, PreparedAt: at, ChangedAt: at, ConfirmUntil: c.ConfirmUntil,
	}
	n := 1
	step := func(e correction.Event) error {
		entry, err := ledgerEntry(id, n+1, e)
		if err != nil {
			return err
		}
		if e.State == correction.Sending {
			entry.Intent = &ledger.Intent{SignMS: 1, Nonce: "n", BootID: "b", MonoMS: 1}
			if err := w.intend(ctx, id, *entry.Intent); err != nil {
				return err
			}
		}
		if err := w.record(ctx, entry); err != nil {
			return fmt.Errorf("%s: %w", e.State, err)
		}
		if e.State.Holds() && !x.State.Holds() {
			if err := w.hold(ctx, id, r); err != nil {
				return err
			}
		}
		if n++; e.State != x.State {
			x.State, x.ChangedAt = e.State, e.At
		}
		if e.Detail.RequestID != "" {
			x.RequestID = e.Detail.RequestID
		}
		if e.Detail.Review != "" {
			x.Review = e.Detail.Review
		}
		return nil
	}
	for _, to := range pathTo[state] {
		at = at.Add(time.Second)
		e := correction.Event{State: to, At: at}
		boss := bosses[rng.IntN(2)]
		switch to {
		case correction.Approved:
			e.ActorID, e.Detail.BodySHA256 = boss.ID, hex.EncodeToString(first.Origin.BodySHA256)
		case correction.Declined, correction.Returned:
			e.ActorID = boss.ID
		case correction.NeedsPerson:
			e.ActorID = bosses[0].ID
		case correction.Resolved:
			e.ActorID = bosses[1].ID
		case correction.Claimed:
			for _, code := range correction.FlagCodes {
				if rng.IntN(15) == 0 {
					e.Detail.Flags = append(e.Detail.Flags, correction.Flag{Code: code, Found: 1})
					x.flags = append(x.flags, code)
				}
			}
			x.Flagged = len(x.flags) > 0
		case correction.Applied:
			e.Detail.RequestID = "Q" + strconv.Itoa(int(id))
		}
		if err := step(e); err != nil {
			return x, err
		}
		if to == correction.Approved || to == correction.Declined || to == correction.Returned {
			x.ApproverID, x.ApproverName, x.approver = boss.ID, boss.Name, boss.Username
		}
	}
	if state.Final() {
		for k := rng.IntN(4); k > 1; k-- {
			mark := correction.ReviewMarks[rng.IntN(len(correction.ReviewMarks))]
			actor := bosses[0].ID
			if mark == correction.ReviewAnswered {
				actor = author.ID
			}
			if err := step(correction.Event{State: state, At: at, ActorID: actor, Detail: correction.Detail{Review: mark, Text: "?"}}); err != nil {
				return x, err
			}
		}
	}
	return x, nil
}

// hasWords is the search in Go.
func (x listed) hasWords(text string) bool {
	plain := func(s string) string {
		return strings.Map(func(r rune) rune {
			switch {
			case r >= '！' && r <= '～':
				r -= 0xfee0
			}
			if r >= 'A' && r <= 'Z' {
				r += 32
			}
			return r
		}, norm.NFC.String(s))
	}
	texts := append([]string{x.Outgoing, x.Reason.ZH, x.Reason.EN, x.Note, x.Ticket, x.Ref.OutOrderNo, x.MerchantName, x.Ref.SubMchID, x.Ref.ServiceID, x.ServiceName, x.AuthorLogin, x.AuthorName}, x.devices...)
	for _, word := range strings.Fields(plain(text)) {
		if word != strconv.FormatInt(x.ID, 10) && !slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(plain(t), word) }) {
			return false
		}
	}
	return true
}

// selected is the whole filter in Go.
func (x listed) selected(f changelog.LogFilter) bool {
	reduction := x.Reduction()
	state := f.State == "" || f.State == x.State || f.State == changelog.AnyEffective && x.State.Effective()
	review := f.Review == "" || f.Review == string(x.Review) || f.Review == correction.ReviewNone && x.Review == "" && x.State.Final()
	return selects(changelog.LogFilter{Scope: f.Scope, OutOrderNo: f.OutOrderNo, SubMchID: f.SubMchID, AuthorID: f.AuthorID, Agent: f.Agent, From: f.From, To: f.To}, x.Summary) && state && review &&
		(f.ServiceID == "" || f.ServiceID == x.Ref.ServiceID) && (f.Approver == "" || f.Approver == x.approver) && (f.ReasonCode == "" || f.ReasonCode == x.Reason.Code) &&
		(f.MinReduction == nil || reduction >= *f.MinReduction) && (f.MaxReduction == nil || reduction <= *f.MaxReduction) &&
		(f.MinPermille == nil || int64(reduction)*1000 >= int64(*f.MinPermille)*int64(x.BaseTotal)) && (f.MaxPermille == nil || int64(reduction)*1000 <= int64(*f.MaxPermille)*int64(x.BaseTotal)) &&
		(f.Device == "" || slices.Contains(x.devices, f.Device)) && (f.Flag == "" || slices.Contains(x.flags, f.Flag)) && x.hasWords(f.Text)
}

func randomFilter(rng *rand.Rand, all []listed, people []auth.User, merchants []string) changelog.LogFilter {
	f := changelog.LogFilter{Scope: correction.Scope{All: true}}
	one := func() listed { return all[rng.IntN(len(all))] }
	fen := func(v correction.Fen) *correction.Fen { return &v }
	switch rng.IntN(8) {
	case 0:
		f.Scope = correction.Scope{Merchants: merchants[:1+rng.IntN(3)]}
	case 1:
		f.Scope = correction.Scope{Merchants: append([]string{"77"}, merchants[2:]...)}
	}
	chance := 3 + rng.IntN(8)
	sometimes := func(g func()) {
		if rng.IntN(chance) == 0 {
			g()
		}
	}
	if rng.IntN(12) == 0 {
		f.OutOrderNo = one().Ref.OutOrderNo
	}
	if rng.IntN(15) == 0 {
		f.Device = one().devices[0]
	}
	sometimes(func() { f.SubMchID = merchants[rng.IntN(len(merchants))] })
	sometimes(func() { f.ServiceID = []string{serviceID, "500002", "5"}[rng.IntN(3)] })
	sometimes(func() { f.AuthorID = people[rng.IntN(len(people))].ID })
	sometimes(func() { f.Agent = []string{"lin", "wu", "zhou", "nobody"}[rng.IntN(4)] })
	sometimes(func() { f.Approver = []string{"zhou", "qian", "lin"}[rng.IntN(3)] })
	sometimes(func() {
		f.State = append(correction.States, changelog.AnyEffective, correction.Applied)[rng.IntN(len(correction.States)+2)]
	})
	sometimes(func() { f.ReasonCode = one().Reason.Code })
	sometimes(func() { f.From = one().PreparedAt })
	sometimes(func() { f.To = one().PreparedAt })
	sometimes(func() { f.MinReduction = fen(one().Reduction() + correction.Fen(rng.IntN(3)-1)) })
	sometimes(func() { f.MaxReduction = fen(one().Reduction() + correction.Fen(rng.IntN(3)-1)) })
	sometimes(func() { f.MinReduction = fen([]correction.Fen{0, 100, 500, 1000, 2000}[rng.IntN(5)]) })
	sometimes(func() { v := rng.IntN(1100) - 50; f.MinPermille = &v })
	sometimes(func() { v := 10 * rng.IntN(110); f.MaxPermille = &v })
	sometimes(func() { f.Flag = correction.FlagCodes[rng.IntN(len(correction.FlagCodes))] })
	sometimes(func() {
		f.Review = []string{"fine", "queried", "answered", "wrong", correction.ReviewNone}[rng.IntN(5)]
	})
	sometimes(func() {
		if f.Text = testWords[rng.IntN(len(testWords))]; rng.IntN(15) == 0 {
			f.Text = strconv.FormatInt(one().ID, 10)
		}
		if rng.IntN(3) == 0 {
			f.Text += "　" + testWords[rng.IntN(len(testWords))]
		}
	})
	return f
}

// Page, count and export select the same, whatever is asked for: what a filter in Go
// selects.
func TestLog_PageCountAndExportAgreeOnEveryFilter(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d", logSeed)
	rng := rand.New(rand.NewPCG(logSeed, 5))
	s := openTest(t)
	all, people, merchants := variety(t, s, 1800, rng)
	filters, pages, nonEmpty := 1000, 0, 0
	for i := range filters {
		if s.effort = usualEffort; i%2 == 0 { // every way to an answer is taken
			s.effort = effort{patience: 1 + rng.IntN(300), few: 1 + rng.IntN(300), walk: 1 + rng.IntN(3000)}
		}
		f := randomFilter(rng, all, people, merchants)
		sort := []changelog.LogSort{changelog.ByTime, changelog.ByReduction}[rng.IntN(2)]
		var want []correction.Summary
		for _, x := range all {
			if x.selected(f) {
				want = append(want, x.Summary)
			}
		}
		want = named(t, s, want)
		if len(want) > 0 {
			nonEmpty++
		}
		if sort == changelog.ByReduction {
			slices.SortStableFunc(want, func(a, b correction.Summary) int { return cmp.Compare(b.Reduction(), a.Reduction()) })
		}
		same := func(what string, got, want []correction.Summary) {
			t.Helper()
			if !slices.Equal(got, want) {
				ids := func(list []correction.Summary) (out []int64) {
					for _, r := range list {
						out = append(out, r.ID)
					}
					return out
				}
				t.Fatalf("filter %d %+v by %q, %s:\ngot  %v\nwant %v\n%+v\n%+v", i, f, sort, what, ids(got), ids(want), got[:min(1, len(got))], want[:min(1, len(want))])
			}
		}
		var exported []correction.Summary
		must(t, s.Export(t.Context(), f, sort, eachRow(func(r correction.Summary) error {
			if i%50 == 0 {
				asListed(t, s, r)
			}
			r.Flags, r.Devices = "", ""
			exported = append(exported, r)
			return nil
		})))
		same("export", exported, want)
		for _, most := range []int{10_000, 1 + rng.IntN(50)} {
			n, more, err := s.Count(t.Context(), f, most)
			must(t, err)
			if n != min(most, len(want)) || more != (len(want) > most) {
				t.Fatalf("filter %d %+v: counted %d, %v up to %d, there are %d", i, f, n, more, most, len(want))
			}
		}
		limit := 1 + rng.IntN(100)
		for from, to := 0, 0; ; from = to {
			p := changelog.Page{Sort: sort, Limit: limit}
			if from > 0 {
				p.Before, p.Edge = want[from-1].ID, want[from-1].Reduction()
			}
			to = min(from+limit, len(want))
			got, more, err := s.Log(t.Context(), f, p)
			must(t, err)
			pages++
			same(fmt.Sprintf("page %+v", p), got, want[from:to])
			if more != (to < len(want)) {
				t.Fatalf("filter %d %+v page %+v: more is %v", i, f, p, more)
			}
			if to == len(want) || pages%7 == 0 {
				break
			}
		}
		if len(want) > 1 {
			at := rng.IntN(len(want))
			from := max(0, at-limit)
			got, more, err := s.Log(t.Context(), f, changelog.Page{Sort: sort, Limit: limit, After: want[at].ID, Edge: want[at].Reduction()})
			must(t, err)
			same("the page in front", got, want[from:at])
			if more != (from > 0) {
				t.Fatalf("filter %d %+v after %d: more is %v", i, f, want[at].ID, more)
			}
		}
	}
	t.Logf("%d filters (%d with rows), %d pages", filters, nonEmpty, pages)
	if nonEmpty < filters/4 {
		t.Error("too few filters select anything")
	}
}
