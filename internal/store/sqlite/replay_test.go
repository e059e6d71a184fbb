package sqlite

import (
	"testing"
	"time"

	"correction-console/internal/correction"
)

// What was said of a correction after it was sent comes back as it was said then, whoever
// is active in the copy of the database into which it is replayed: an approver who was the
// only supervisor reviewed it and was the second person of its ruling, and somebody who is
// disabled since may still stand there as a second supervisor.
func TestReplayEvent_IsNotJudgedByWhoThereIsNow(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin, zhou, wu := person(t, s, "lin", correction.Agent), person(t, s, "zhou", correction.Supervisor), person(t, s, "wu", correction.Agent)
	person(t, s, "qian", correction.Supervisor) // in the copy, still active
	event := func(n int, e correction.Event) correction.Event {
		e.N, e.At = n, t0.Add(time.Duration(n)*time.Minute)
		return e
	}
	for name, x := range map[string]struct {
		outcome correction.State
		after   []correction.Event
	}{
		"a review": {correction.Applied, []correction.Event{
			{State: correction.Applied, ActorID: zhou.ID, ActorName: zhou.Name, Detail: correction.Detail{Review: correction.ReviewFine, Alone: true}},
			{State: correction.Applied, Detail: correction.Detail{Settled: correction.PaidNew}},
		}},
		"a ruling": {correction.NeedsPerson, []correction.Event{
			{State: correction.NeedsPerson, ActorID: wu.ID, ActorName: wu.Name, Detail: correction.Detail{Ruling: correction.RuledApplied, Text: "看过"}},
			{State: correction.Resolved, ActorID: zhou.ID, ActorName: zhou.Name, Detail: correction.Detail{Ruling: correction.RuledApplied, Agrees: 7, Alone: true}},
			{State: correction.Resolved, ActorID: zhou.ID, ActorName: zhou.Name, Detail: correction.Detail{Review: correction.ReviewWrong, Text: "不该改", Alone: true}},
		}},
	} {
		r := ref("REPLAY-" + string(x.outcome))
		c := sample(lin.ID, r, t0)
		id := prepare(t, s, c)
		walk(t, s, id, r, t0, correction.Awaiting)
		must(t, step(t.Context(), s, id, r, correction.Awaiting, 2, event(3, correction.Event{State: correction.Approved, ActorID: zhou.ID})))
		must(t, step(t.Context(), s, id, r, correction.Approved, 3, event(4, correction.Event{State: correction.Claimed, ActorID: zhou.ID})))
		must(t, step(t.Context(), s, id, r, correction.Claimed, 4, event(5, correction.Event{State: correction.Sending})))
		must(t, step(t.Context(), s, id, r, correction.Sending, 5, event(6, correction.Event{State: x.outcome, ActorID: 0, Detail: correction.Detail{}})))
		for i, e := range x.after {
			e = event(7+i, e)
			if did, err := s.ReplayEvent(t.Context(), c.ConfirmHash, e); err != nil || did.Added != 1 {
				t.Errorf("%s, event %d: %+v, %v", name, e.N, did, err)
			}
		}
		if c, err := s.Correction(t.Context(), id); err != nil || len(c.Events) != 6+len(x.after) {
			t.Errorf("%s: %d events, %v", name, len(c.Events), err)
		}
	}
	// The guards stand again for everybody else.
	r := ref("GUARDED")
	c := sample(lin.ID, r, t0)
	id := prepare(t, s, c)
	walk(t, s, id, r, t0, correction.Awaiting)
	must(t, step(t.Context(), s, id, r, correction.Awaiting, 2, event(3, correction.Event{State: correction.Approved, ActorID: zhou.ID})))
	must(t, step(t.Context(), s, id, r, correction.Approved, 3, event(4, correction.Event{State: correction.Claimed, ActorID: zhou.ID})))
	must(t, step(t.Context(), s, id, r, correction.Claimed, 4, event(5, correction.Event{State: correction.Sending})))
	must(t, step(t.Context(), s, id, r, correction.Sending, 5, event(6, correction.Event{State: correction.Applied})))
	if err := s.Append(t.Context(), id, correction.Applied, 6, event(7, correction.Event{State: correction.Applied, ActorID: zhou.ID, Detail: correction.Detail{Review: correction.ReviewFine, Alone: true}})); !refused(err) {
		t.Errorf("an approver's review while somebody else could: %v", err)
	}
}
