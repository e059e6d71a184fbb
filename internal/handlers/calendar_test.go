package handlers_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
)

var dayLinks = regexp.MustCompile(`href="/review/days/(\d{4}-\d\d-\d\d)"`)

// Where the clock jumps over midnight, the links from day to day, the date filter, the
// day's sheet and the figures agree on every correction.
func TestDays_AgreeWhereMidnightIsSkipped(t *testing.T) {
	t.Parallel()
	for zone, change := range map[string]string{
		"America/Havana": "2026-03-08", "Africa/Cairo": "2026-04-24", "Asia/Beirut": "2026-03-29", "America/Santiago": "2026-09-06", "Atlantic/Azores": "2026-03-29", "Europe/Berlin": "2026-03-29",
	} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			a := apptest.Start(t, apptest.Options{Zone: zone})
			loc := a.Service.Zone
			middle, ok := correction.ParseDay(change, loc)
			if !ok {
				t.Fatal(change)
			}
			byDay := map[string][]string{}
			n := 0
			for _, at := range []time.Duration{-25 * time.Hour, -24*time.Hour - time.Second, -2 * time.Hour, -time.Hour, -time.Second, 0, time.Second, 30 * time.Minute, time.Hour, 22*time.Hour + 30*time.Minute, 23*time.Hour + 30*time.Minute, 24 * time.Hour, 25 * time.Hour} {
				when := middle.Add(at).Truncate(time.Second)
				n++
				id := a.Put(apptest.Past{Login: "lin", Merchant: bankMerchant, Service: otherService, Order: fmt.Sprintf("DST_%02d", n), Base: 3000, Target: 1000, Reason: "timing", At: when, States: apptest.WayApplied})
				day := when.In(loc).Format(time.DateOnly) // as the clock on the wall said
				byDay[day] = append(byDay[day], fmt.Sprint(id))
			}
			zhou := a.As("zhou")
			total := 0
			for day, want := range byDay {
				slices.Reverse(want) // the newest first
				if got := idsOf(t, zhou, "from="+day+"&to="+day); !slices.Equal(got, want) {
					t.Errorf("%s: the log shows %v, want %v", day, got, want)
				}
				sheet := zhou.Get("/review/days/" + day)
				d, err := a.Web.DayClose.Day(t.Context(), correction.Actor{UserID: 1, Role: correction.Supervisor, Scope: correction.Scope{All: true}}, day)
				if err != nil || sheet.Status != http.StatusOK || d.Counts.All != len(want) {
					t.Errorf("%s: the sheet counts %d, want %d (%d, %v)", day, d.Counts.All, len(want), sheet.Status, err)
				}
				total += d.Counts.All
				at, err := time.Parse(time.DateOnly, day)
				if err != nil {
					t.Fatal(err)
				}
				links := dayLinks.FindAllStringSubmatch(sheet.Body, -1)
				for _, next := range []string{at.AddDate(0, 0, -1).Format(time.DateOnly), at.AddDate(0, 0, 1).Format(time.DateOnly)} {
					if !slices.ContainsFunc(links, func(m []string) bool { return m[1] == next }) {
						t.Errorf("%s: no link to %s", day, next)
					}
				}
				if figures := zhou.Get("/insights.csv?from=" + day + "&to=" + day).Body; !strings.Contains(figures, fmt.Sprintf("%s,%s,%d,", day, day, len(want))) {
					t.Errorf("%s: the figures do not count %d", day, len(want))
				}
			}
			if total != n {
				t.Errorf("%d of %d are on a sheet", total, n)
			}
		})
	}
}
