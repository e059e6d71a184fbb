package dayclose

import (
	"slices"
	"testing"

	"correction-console/internal/correction"
)

func TestDayCounts_WhatIsOpenAndWhatIsNot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		r    correction.Summary
		want []DayOpen
	}{
		{correction.Summary{State: correction.Prepared}, []DayOpen{OpenConfirm}},
		{correction.Summary{State: correction.Awaiting}, []DayOpen{OpenApproval}},
		{correction.Summary{State: correction.Claimed}, []DayOpen{OpenSending}},
		{correction.Summary{State: correction.Sending, Flagged: true}, []DayOpen{OpenSending}},
		{correction.Summary{State: correction.Unknown, Flagged: true}, []DayOpen{OpenUnknown}},
		{correction.Summary{State: correction.NeedsPerson}, []DayOpen{OpenConflict}},
		{correction.Summary{State: correction.Applied}, nil},
		{correction.Summary{State: correction.Applied, Flagged: true}, []DayOpen{OpenFlagged}},
		{correction.Summary{State: correction.Applied, Flagged: true, Review: correction.ReviewFine}, nil},
		{correction.Summary{State: correction.Applied, Flagged: true, Review: correction.ReviewWrong}, nil},
		{correction.Summary{State: correction.Applied, Flagged: true, Review: correction.ReviewQueried}, []DayOpen{OpenQueried}},
		{correction.Summary{State: correction.Applied, Review: correction.ReviewAnswered}, []DayOpen{OpenQueried}},
		{correction.Summary{State: correction.AppliedLate, Due: true, Flagged: true}, []DayOpen{OpenDue, OpenFlagged}},
		{correction.Summary{State: correction.Declined}, nil},
		{correction.Summary{State: correction.Expiry}, nil},
	} {
		if got := openOf(c.r); !slices.Equal(got, c.want) {
			t.Errorf("%s %q flagged %t: %v, want %v", c.r.State, c.r.Review, c.r.Flagged, got, c.want)
		}
	}
	var d DayCounts
	for _, s := range correction.States {
		d.Add(correction.Summary{ID: int64(d.All + 1), State: s, BaseTotal: 1000, Target: 0}, 30)
	}
	if d.All != len(correction.States) || d.Effective != 2 || d.Reduction != 2000 || d.Zeroed != 2 || d.Refunds != 2 || d.RefundSum != 60 || d.NotApplied() != 8 || !d.IsOpen() {
		t.Errorf("%+v, %d not applied", d, d.NotApplied())
	}
}
