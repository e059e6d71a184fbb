package sqlite_test

import (
	"context"
	crand "crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/store/filltest"
	"correction-console/internal/store/sqlite"
)

// The benchmarks of the change log compare databases of several sizes, which are filled
// once and kept (package filltest). BENCH_RECORDS is the size of the largest.

const (
	small  = 10_000
	middle = 1_000_000
)

var every = correction.Scope{All: true}

func open(b *testing.B, n int) *sqlite.Store {
	b.Helper()
	s, err := sqlite.Open(b.Context(), filltest.File(b, n))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// took is how many µs f took.
func took(b *testing.B, f func() error) float64 {
	start := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return float64(time.Since(start).Nanoseconds()) / 1000
}

// alternated runs two functions in turns and returns the median of each, and of their
// ratios.
func alternated(b *testing.B, rounds int, x, y func() error) (xs, ys, ratio float64) {
	var a, c, r []float64
	took(b, x)
	took(b, y)
	for i := range rounds {
		var p, q float64
		if i%2 == 0 {
			p, q = took(b, x), took(b, y)
		} else {
			q, p = took(b, y), took(b, x)
		}
		a, c, r = append(a, p), append(c, q), append(r, p/q)
	}
	return median(a), median(c), median(r)
}

func page(s *sqlite.Store, f changelog.LogFilter, p changelog.Page) func() error {
	return func() error {
		p.Limit = 50
		_, _, err := s.Log(context.Background(), f, p)
		return err
	}
}

func shape(n int) string {
	if n >= 1_000_000 && n%1_000_000 == 0 {
		return fmt.Sprintf("%dM", n/1_000_000)
	}
	return fmt.Sprintf("%dk", n/1000)
}

// BenchmarkLogDepth reads the newest page and pages at some depths of a large database
// and of a small one. Target: at most 1.2.
func BenchmarkLogDepth(b *testing.B) {
	n := filltest.Records(middle)
	large, little := open(b, n), open(b, small)
	for _, at := range []int{0, 10, 50, 99} { // percent of the way back
		b.Run(fmt.Sprintf("%s-%d%%", shape(n), at), func(b *testing.B) {
			edge := func(total int) changelog.Page {
				if at == 0 {
					return changelog.Page{}
				}
				return changelog.Page{Before: int64(total - total*at/100)}
			}
			every := changelog.LogFilter{Scope: every}
			for b.Loop() {
				x, y, ratio := alternated(b, 401, page(large, every, edge(n)), page(little, every, edge(small)))
				b.ReportMetric(x, "µs")
				b.ReportMetric(y, "µs-at-10k")
				b.ReportMetric(ratio, "ratio")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkLogIndexed reads what an agent corrected within 30 days, and an order, in a
// large database and in one of a million. Target: at most 1.2.
func BenchmarkLogIndexed(b *testing.B) {
	n := filltest.Records(middle)
	large, little := open(b, n), open(b, middle)
	month := changelog.LogFilter{Scope: every, Agent: filltest.AgentLogin(7), From: filltest.End.Add(-400 * 24 * time.Hour), To: filltest.End.Add(-370 * 24 * time.Hour)}
	for name, f := range map[string]func(n int) changelog.LogFilter{
		"agent+dates": func(int) changelog.LogFilter { return month },
		"order": func(n int) changelog.LogFilter {
			return changelog.LogFilter{Scope: every, OutOrderNo: fmt.Sprintf("PB%08d", 20_000_000+n/2*7)}
		},
	} {
		b.Run(name+"-"+shape(n), func(b *testing.B) {
			for b.Loop() {
				x, y, ratio := alternated(b, 401, page(large, f(n), changelog.Page{}), page(little, f(middle), changelog.Page{}))
				b.ReportMetric(x, "µs")
				b.ReportMetric(y, "µs-at-1M")
				b.ReportMetric(ratio, "ratio")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// texts are what is searched for.
var texts = map[string]string{
	"common": filltest.CommonWord, "some": filltest.SomeWord, "rare": filltest.RareWord, "common-rune": "设", "rare-rune": filltest.RareRune, "long": "经核实设备计费异常", "order": "PB2034",
	"digits": "4567", "name": "云海", "agent": "agent07", "absent": "没有", "two-words": "退款 照片", "common+rare": "调整 " + filltest.RareWord, "ascii": "t-00",
}

// BenchmarkLogText reads the first page of searches. Target: under 5 ms.
func BenchmarkLogText(b *testing.B) {
	n := filltest.Records(middle)
	s := open(b, n)
	for b.Loop() {
		worst := 0.0
		for _, name := range slices.Sorted(func(yield func(string) bool) {
			for k := range texts {
				if !yield(k) {
					return
				}
			}
		}) {
			f := changelog.LogFilter{Scope: every, Text: texts[name]}
			var v []float64
			for range 31 {
				v = append(v, took(b, page(s, f, changelog.Page{})))
			}
			b.ReportMetric(median(v)/1000, name+"-ms")
			worst = max(worst, median(v)/1000)
		}
		b.ReportMetric(worst, "worst-ms")
	}
	b.ReportMetric(0, "ns/op")
}

// filters are single filters and combinations of them.
func filters(n int) (names []string, list []changelog.LogFilter) {
	fen := func(v correction.Fen) *correction.Fen { return &v }
	num := func(v int) *int { return &v }
	days := func(d int) time.Time { return filltest.End.Add(-time.Duration(d) * 24 * time.Hour) }
	parts := []struct {
		name string
		set  func(f *changelog.LogFilter)
	}{
		{"order", func(f *changelog.LogFilter) { f.OutOrderNo = fmt.Sprintf("PB%08d", 20_000_000+n/3*7) }},
		{"merchant", func(f *changelog.LogFilter) { f.SubMchID = filltest.MerchantID(3) }},
		{"merchant-small", func(f *changelog.LogFilter) { f.SubMchID = filltest.MerchantID(39) }},
		{"scope", func(f *changelog.LogFilter) {
			f.Scope = correction.Scope{Merchants: []string{filltest.MerchantID(1), filltest.MerchantID(17), filltest.MerchantID(38)}}
		}},
		{"service", func(f *changelog.LogFilter) { f.ServiceID = filltest.ServiceID(2) }},
		{"agent", func(f *changelog.LogFilter) { f.Agent = filltest.AgentLogin(7) }},
		{"agent-small", func(f *changelog.LogFilter) { f.Agent = filltest.AgentLogin(60) }},
		{"approver", func(f *changelog.LogFilter) { f.Approver = filltest.SupervisorLogin(2) }},
		{"applied", func(f *changelog.LogFilter) { f.State = correction.Applied }},
		{"in-force", func(f *changelog.LogFilter) { f.State = changelog.AnyEffective }},
		{"rejected", func(f *changelog.LogFilter) { f.State = correction.Rejected }},
		{"late", func(f *changelog.LogFilter) { f.State = correction.AppliedLate }},
		{"unknown", func(f *changelog.LogFilter) { f.State = correction.Unknown }},
		{"awaiting", func(f *changelog.LogFilter) { f.State = correction.Awaiting }},
		{"reason", func(f *changelog.LogFilter) { f.ReasonCode = "timing" }},
		{"min", func(f *changelog.LogFilter) { f.MinReduction = fen(20_000) }},
		{"min-odd", func(f *changelog.LogFilter) { f.MinReduction = fen(12_345) }},
		{"max-odd", func(f *changelog.LogFilter) { f.MaxReduction = fen(123) }},
		{"range", func(f *changelog.LogFilter) { f.MinReduction, f.MaxReduction = fen(1234), fen(1300) }},
		{"share", func(f *changelog.LogFilter) { f.MinPermille = num(500) }},
		{"share-odd", func(f *changelog.LogFilter) { f.MinPermille, f.MaxPermille = num(125), num(127) }},
		{"all-given", func(f *changelog.LogFilter) { f.MinPermille = num(1000) }},
		{"old-month", func(f *changelog.LogFilter) { f.From, f.To = days(800), days(770) }},
		{"year", func(f *changelog.LogFilter) { f.From, f.To = days(700), days(335) }},
		{"hour", func(f *changelog.LogFilter) { f.From, f.To = days(500), days(500).Add(time.Hour) }},
		{"device", func(f *changelog.LogFilter) { f.Device = "D00012" }},
		{"zero", func(f *changelog.LogFilter) { f.Flag = correction.FlagZero }},
		{"fast", func(f *changelog.LogFilter) { f.Flag = correction.FlagFast }},
		{"fine", func(f *changelog.LogFilter) { f.Review = string(correction.ReviewFine) }},
		{"wrong", func(f *changelog.LogFilter) { f.Review = string(correction.ReviewWrong) }},
		{"unreviewed", func(f *changelog.LogFilter) { f.Review = correction.ReviewNone }},
		{"common", func(f *changelog.LogFilter) { f.Text = filltest.CommonWord }},
		{"some", func(f *changelog.LogFilter) { f.Text = filltest.SomeWord }},
		{"rare", func(f *changelog.LogFilter) { f.Text = filltest.RareWord }},
		{"long", func(f *changelog.LogFilter) { f.Text = "设备计费异常" }},
		{"rune", func(f *changelog.LogFilter) { f.Text = "雨" }},
		{"digits", func(f *changelog.LogFilter) { f.Text = "4567" }},
		{"name", func(f *changelog.LogFilter) { f.Text = "云海" }},
	}
	add := func(which ...int) {
		f := changelog.LogFilter{Scope: every}
		var name []string
		for _, i := range which {
			parts[i].set(&f)
			name = append(name, parts[i].name)
		}
		names, list = append(names, strings.Join(name, "+")), append(list, f)
	}
	for i := range parts {
		add(i)
		for j := range i {
			add(j, i)
		}
	}
	rng := rand.New(rand.NewPCG(20261126, 1))
	for range 300 {
		add(rng.Perm(len(parts))[:3+rng.IntN(4)]...)
	}
	return names, list
}

// BenchmarkLogFilters reads the first page of every filter, of every pair and of some
// larger combinations, by time and by reduction, and counts what they select. Targets: the
// median of each under 25 ms.
func BenchmarkLogFilters(b *testing.B) {
	n := filltest.Records(middle)
	s := open(b, n)
	names, list := filters(n)
	type one struct {
		name string
		ms   float64
	}
	for _, what := range []string{"time", "reduction", "count"} {
		b.Run(what+"-"+shape(n), func(b *testing.B) {
			for b.Loop() {
				var all []one
				for i, f := range list {
					run := page(s, f, changelog.Page{})
					switch what {
					case "reduction":
						run = page(s, f, changelog.Page{Sort: changelog.ByReduction})
					case "count":
						most := changelog.MaxTotal
						run = func() error {
							most++ // so that it is not known already
							_, _, err := s.Count(context.Background(), f, most)
							return err
						}
					}
					var v []float64
					for range 5 {
						v = append(v, took(b, run))
					}
					all = append(all, one{names[i], median(v) / 1000})
				}
				slices.SortFunc(all, func(a, b one) int { return int(1e6 * (b.ms - a.ms)) })
				over := 0
				for _, o := range all {
					if o.ms >= 25 {
						over++
					}
				}
				var worst strings.Builder
				for _, o := range all[:min(40, len(all))] {
					fmt.Fprintf(&worst, "\n%8.2f ms %s", o.ms, o.name)
				}
				b.Log(worst.String())
				b.ReportMetric(float64(len(all)), "filters")
				b.ReportMetric(all[0].ms, "worst-ms")
				b.ReportMetric(all[len(all)/100].ms, "p99-ms")
				b.ReportMetric(all[len(all)/2].ms, "median-ms")
				b.ReportMetric(float64(over), "over-25ms")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkLogTotal compares the total of a filter with its page: counted anew, and again
// while nothing happened. Target: at most a fifth of the page as it is served, which is
// more than the SQL that is measured here.
func BenchmarkLogTotal(b *testing.B) {
	n := filltest.Records(middle)
	s := open(b, n)
	for name, f := range map[string]changelog.LogFilter{
		"everything": {Scope: every}, "agent": {Scope: every, Agent: filltest.AgentLogin(7)}, "applied": {Scope: every, State: correction.Applied},
		"common": {Scope: every, Text: filltest.CommonWord}, "rare": {Scope: every, Text: filltest.RareWord},
		"month": {Scope: every, From: filltest.End.Add(-60 * 24 * time.Hour), To: filltest.End.Add(-30 * 24 * time.Hour)},
	} {
		b.Run(name+"-"+shape(n), func(b *testing.B) {
			most := changelog.MaxTotal
			count := func() error {
				_, _, err := s.Count(context.Background(), f, most)
				return err
			}
			for b.Loop() {
				anew, alone, _ := alternated(b, 101, func() error {
					most++ // so that it is not known already
					return count()
				}, page(s, f, changelog.Page{}))
				again, _, _ := alternated(b, 101, count, page(s, f, changelog.Page{}))
				b.ReportMetric(anew, "total-µs")
				b.ReportMetric(again, "again-µs")
				b.ReportMetric(alone, "page-µs")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// newCorrection is a correction of an order of its own, as the service prepares it.
func newCorrection(i int) correction.Correction {
	ref := correction.Ref{SubMchID: filltest.MerchantID(i % filltest.Merchants), ServiceID: filltest.ServiceID(i % filltest.Services), OutOrderNo: fmt.Sprintf("NEW%08d", i)}
	base := correction.Order{SubMchID: ref.SubMchID, ServiceID: ref.ServiceID, OutOrderNo: ref.OutOrderNo, State: correction.OrderDoing, StateDescription: correction.MchComplete,
		Total: 9900, HasTotal: true, Collection: correction.Collection{State: correction.UserPaying, Total: 9900, Paying: 9900}}
	reason := correction.DefaultReasons[i%4]
	at := filltest.End.Add(time.Duration(i) * time.Second)
	c := correction.Correction{
		Ref: ref, Base: base, Target: correction.Fen(100 + i%9000), Reason: reason, Note: "用户来电要求退款，已与店长确认", Ticket: fmt.Sprintf("T-%06d", i), AuthorID: int64(1 + i%filltest.Agents), SessionID: 1,
		PreparedAt: at, ConfirmUntil: at.Add(10 * time.Minute), ConfirmNonce: make([]byte, 16),
	}
	c.Body = correction.Request{ServiceID: ref.ServiceID, SubMchID: ref.SubMchID, Total: c.Target, Reason: reason.Outgoing, Device: correction.Device{Start: fmt.Sprintf("D%05d", i%50)}}.Body()
	crand.Read(c.ConfirmNonce)
	_, c.BaseSHA256 = base.Snapshot()
	c.BodySHA256, c.ConfirmHash = sha256.Sum256(c.Body), sha256.Sum256(c.ConfirmNonce)
	c.Events = []correction.Event{{N: 1, State: correction.Prepared, At: at, ActorID: c.AuthorID, SessionID: 1}}
	return c
}

// BenchmarkLogCommits compares what the four commits of a correction cost in a large
// database with what they cost in a small one. Target: at most 1.2.
func BenchmarkLogCommits(b *testing.B) {
	n := filltest.Records(middle)
	ctx := context.Background()
	var sides [2]func() error
	serial := 0
	for i, path := range []string{filltest.Copy(b, n), filltest.Copy(b, small)} {
		s, err := sqlite.Open(ctx, path)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { s.Close() })
		sides[i] = func() error {
			serial++
			c := newCorrection(serial)
			id, err := s.Prepare(ctx, c)
			if err != nil {
				return err
			}
			e := func(state correction.State, d correction.Detail) correction.Event {
				return correction.Event{State: state, At: c.PreparedAt, ActorID: c.AuthorID, Detail: d}
			}
			return errors.Join(s.Claim(ctx, id, c.Ref, e(correction.Claimed, correction.Detail{Flags: []correction.Flag{{Code: correction.FlagShare, Found: 600, Limit: 500}}}), nil),
				s.MarkSending(ctx, id, correction.NewSigning(c.PreparedAt), e(correction.Sending, correction.Detail{}), nil),
				s.Append(ctx, id, correction.Sending, 3, e(correction.Applied, correction.Detail{RequestID: "R", Settled: correction.PaidNew})))
		}
	}
	b.Run(shape(n), func(b *testing.B) {
		for b.Loop() {
			x, y, ratio := alternated(b, 301, sides[0], sides[1])
			b.ReportMetric(x, "µs")
			b.ReportMetric(y, "µs-at-10k")
			b.ReportMetric(ratio, "ratio")
		}
		b.ReportMetric(0, "ns/op")
	})
}
