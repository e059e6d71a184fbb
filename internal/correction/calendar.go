package correction

import "time"

// Days are those of the calendar in one zone. A day need not have 24 hours, nor a
// midnight: where summer time begins at 00:00 the clock jumps over it. Everything that
// asks which day something is of goes through the functions of this file, so that pages,
// links, filters and figures agree.

// StartOfDay is the first moment of a day in a zone. Months and days beyond their range
// are carried over, as by time.Date.
func StartOfDay(year int, month time.Month, day int, zone *time.Location) time.Time {
	midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	// From before it is that day anywhere, through the offsets that the zone has in turn.
	for at := midnight.Add(-26 * time.Hour).In(zone); ; {
		_, offset := at.Zone()
		first := midnight.Add(-time.Duration(offset) * time.Second)
		if first.Before(at) { // the clock jumped over midnight
			first = at
		}
		_, end := at.ZoneBounds()
		if end.IsZero() || first.Before(end) {
			return first.In(zone)
		}
		at = end.In(zone)
	}
}

// ParseDay reads a day as 2026-11-23 and returns its first moment; false for what is no
// day of the years that the console knows.
func ParseDay(text string, zone *time.Location) (time.Time, bool) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 2000 || t.Year() > 9000 {
		return time.Time{}, false
	}
	return StartOfDay(t.Year(), t.Month(), t.Day(), zone), true
}

// DateOf is the day of t in its zone: the one between whose first moment and that of the
// next it lies. It is what the clock shows but where that is set back over midnight.
func DateOf(t time.Time) (year int, month time.Month, day int) {
	year, month, day = t.Date()
	if !t.Before(StartOfDay(year, month, day+1, t.Location())) {
		year, month, day = time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC).Date()
	}
	return year, month, day
}

// AddDays is the first moment of the day that lies n days after that of t, in the zone of
// t.
func AddDays(t time.Time, n int) time.Time {
	y, m, d := DateOf(t)
	return StartOfDay(y, m, d+n, t.Location())
}

// DaysBetween counts the days from that of one time until that of another.
func DaysBetween(from, to time.Time) int {
	number := func(t time.Time) int64 {
		y, m, d := DateOf(t)
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60)
	}
	return int(number(to) - number(from))
}

// NameOfDay names the day of t in its zone: 2026-11-23.
func NameOfDay(t time.Time) string {
	y, m, d := DateOf(t)
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}
