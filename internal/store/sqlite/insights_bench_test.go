package sqlite_test

import (
	"context"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/insights"
	"correction-console/internal/store/filltest"
	"correction-console/internal/store/sqlite"
)

// monthRecords is a month of 10,000 corrections a day, which is one of 10 M.
const monthRecords = 31 * 10_000

// insightsOf opens a filled database and returns the days of it that hold as many
// corrections as a month out of 10 M: 31 of 10 M, 310 of 1 M.
func insightsOf(b *testing.B) (st *sqlite.Store, s *insights.Service, from, to time.Time) {
	n := filltest.Records(1_000_000)
	st, err := sqlite.Open(b.Context(), filltest.Copy(b, n))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	s = insights.New(st)
	to = correction.AddDays(filltest.End, 0)
	days := min(monthRecords*filltest.Days/n, insights.MostInsightDays)
	return st, s, correction.AddDays(to, -days), to
}

// The page of figures of a month out of 10 M, with the month before it: the target is
// 300 ms.
func BenchmarkInsights_Month(b *testing.B) {
	st, s, from, to := insightsOf(b)
	boss := correction.Actor{UserID: 1, Role: correction.Supervisor, Scope: correction.Scope{All: true}}
	for { // what housekeeping does
		if n, err := st.RollUp(b.Context(), 64); err != nil {
			b.Fatal(err)
		} else if n < 64 {
			break
		}
	}
	var in insights.Insights
	for b.Loop() {
		var err error
		if in, err = s.Insights(context.Background(), boss, from, to); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/page")
	b.ReportMetric(float64(in.Total.Count), "in-force")
	b.ReportMetric(float64(in.Prior.Count), "in-force-before")
}

// What housekeeping, or the first look, works out: five stretches are a day of 10,000.
func BenchmarkInsights_FillADay(b *testing.B) {
	st, _, _, _ := insightsOf(b)
	for b.Loop() {
		n, err := st.RollUp(b.Context(), 5)
		if err != nil {
			b.Fatal(err)
		}
		if n < 5 {
			b.Skip("everything is worked out")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/day")
}
