package correction

import (
	"testing"
	"time"
)

// awkward are zones whose clocks jump at midnight, are set back over it, or left a day out.
var awkward = []string{
	"America/Havana", "America/Santiago", "America/Asuncion", "America/Sao_Paulo", "America/St_Johns", "America/Goose_Bay", "America/Scoresbysund",
	"Africa/Cairo", "Asia/Beirut", "Asia/Amman", "Asia/Damascus", "Asia/Gaza", "Asia/Tehran", "Atlantic/Azores", "Pacific/Apia", "Antarctica/Troll",
	"Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe", "UTC",
}

// Around every change of the clock of 25 years, each moment lies in exactly one day, whose
// name leads back to it, and whose neighbours are the days before and after.
func TestCalendar_EveryMomentHasOneDay(t *testing.T) {
	t.Parallel()
	changes, moments, skipped := 0, 0, 0
	for _, name := range awkward {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		last := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		for at := time.Date(2005, 1, 1, 0, 0, 0, 0, zone); at.Before(last); {
			_, change := at.ZoneBounds()
			if change.IsZero() {
				break
			}
			changes++
			for x := change.Add(-50 * time.Hour); x.Before(change.Add(50 * time.Hour)); x = x.Add(20 * time.Minute) {
				moments++
				m := x.In(zone)
				day := NameOfDay(m)
				from, ok := ParseDay(day, zone)
				to := AddDays(m, 1)
				if !ok || m.Before(from) || !m.Before(to) {
					t.Fatalf("%s: %s is of %s, which is from %s to %s", name, m, day, from, to)
				}
				if !AddDays(m, 0).Equal(from) || NameOfDay(from.Add(-time.Nanosecond)) >= day || NameOfDay(to) <= day {
					t.Fatalf("%s: %s is not the first moment of %s", name, from, day)
				}
				y, month, d := DateOf(m)
				next := time.Date(y, month, d+1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
				if NameOfDay(to) != next && name != "Pacific/Apia" { // it left a day out
					t.Fatalf("%s: after %s comes %s", name, day, NameOfDay(to))
				}
				if before := AddDays(m, -1); name != "Pacific/Apia" && (NameOfDay(before.Add(time.Minute)) >= day || !AddDays(before, 1).Equal(from)) {
					t.Fatalf("%s: before %s comes %s", name, day, NameOfDay(before))
				}
				if from.Format(time.TimeOnly) != "00:00:00" {
					skipped++
				}
			}
			at = change.In(zone)
		}
	}
	t.Logf("%d changes, %d moments, %d of them on days without a midnight", changes, moments, skipped)
	if changes < 500 || skipped == 0 {
		t.Error("too little was tried")
	}
	for _, text := range []string{"", "2026-02-30", "2026-2-3", "1999-12-31", "9001-01-01", "2026-11-23T00:00", "x"} {
		if _, ok := ParseDay(text, time.UTC); ok {
			t.Errorf("%q is a day", text)
		}
	}
}
