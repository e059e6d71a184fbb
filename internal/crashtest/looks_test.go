package crashtest

import (
	"encoding/hex"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

// A look that was planned for an uncertain correction, and comes after somebody else
// decided it, is not one of the two readings that bear a verdict out.
func TestLook_LeavesWhatWasDecidedMeanwhileToItsOwnTime(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	ctx := t.Context()
	lin := correction.Actor{UserID: 1, Name: "lin", Role: correction.Agent, Scope: correction.Scope{All: true}}
	ref := correction.Ref{SubMchID: "1900000109", OutOrderNo: "1234323JKHDFE1243252"}
	o := must(a.Service.OpenForm(ctx, lin, ref))(t)
	f := correction.FormOf(o.Order, o.Device)
	f.Lines[0].Amount, f.ReasonCode, f.Base = "400.00", "complaint", hex.EncodeToString(o.Base[:])
	prepared := must(a.Service.Prepare(ctx, lin, ref, f, 0))(t)
	c := must(a.Service.Correction(ctx, lin, prepared.ID))(t)
	if err := a.Sim.Script(simulator.Fault{Kind: simulator.ResetBefore, Call: simulator.CallModify}); err != nil {
		t.Fatal(err)
	}
	if err := a.Service.Confirm(ctx, lin, c.ID, a.Service.Token(c), c.Target.Yuan()); err != nil {
		t.Fatal(err)
	}
	s := a.Service
	other := &correction.Service{Store: s.Store, Gateway: s.Gateway, Journal: s.Journal, Policy: s.Policy, Key: s.Key, Now: s.Now, Log: s.Log}
	if err := other.StartReconciling(ctx); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a.Clock.Advance(correction.QuietTime)
		c = must(s.Requery(ctx, c.ID))(t)
	}
	if c.State != correction.NotApplied {
		t.Fatalf("it is %s", c.State)
	}
	for i, after := range []time.Duration{0, 2 * time.Hour, 24 * time.Hour} {
		a.Clock.Advance(after)
		other.RunDue(ctx)
		other.RunDue(ctx)
		if n := must(s.Correction(ctx, lin, c.ID))(t).Last().N - c.Last().N; n != i {
			t.Errorf("%s later there are %d more readings, want %d", after, n, i)
		}
	}
}
