package simulator_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

// outcomes asks for n orders twice each and lists how that ended.
func outcomes(t *testing.T, seed uint64, permille, n int, kinds ...simulator.Kind) (out []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, g := inMemory(t, nil)
		base, _ := s.Order(mealMch, mealNo)
		for i := range n {
			base.OutOrderNo = fmt.Sprintf("C-%04d", i)
			s.Put(base)
		}
		if err := s.Chaos(seed, permille, 50*time.Millisecond, kinds...); err != nil {
			t.Fatal(err)
		}
		for i := range 2 * n {
			began := time.Now()
			_, err := g.Query(t.Context(), correction.Ref{SubMchID: mealMch, OutOrderNo: fmt.Sprintf("C-%04d", i%n)})
			out = append(out, fmt.Sprint(correction.CodeOf(err), time.Since(began)))
		}
	})
	return out
}

func TestChaos_SameSeedSameFaults(t *testing.T) {
	if _, err := simulator.SharedKeys(); err != nil {
		t.Fatal(err)
	}
	kinds := []simulator.Kind{simulator.ErrorBefore, simulator.Unsigned, simulator.Slow, simulator.Busy}
	first := outcomes(t, 7, 300, 100, kinds...)
	if !slices.Equal(first, outcomes(t, 7, 300, 100, kinds...)) {
		t.Error("the same seed, other faults")
	}
	if slices.Equal(first, outcomes(t, 8, 300, 100, kinds...)) {
		t.Error("another seed, the same faults")
	}
	counts := map[string]int{}
	good := 0
	for _, o := range first {
		switch o {
		case "0s":
			good++
		case "unreachable0s", "unverified0s":
			counts[o]++
		default: // slow: nothing but the delay, at most 50 ms
			var d time.Duration
			if d, _ = time.ParseDuration(o); d <= 0 || d > 50*time.Millisecond {
				t.Errorf("outcome %s", o)
			}
			counts["slow"]++
		}
	}
	if good < 110 || good > 170 || counts["slow"] < 8 || counts["unreachable0s"] < 8 || counts["unverified0s"] < 8 {
		t.Errorf("%d of 200 good, want about 140; faults %v", good, counts)
	}
	for permille, want := range map[int]string{0: "0s", 1000: "unreachable0s"} {
		for _, o := range outcomes(t, 1, permille, 20, simulator.ErrorBefore) {
			if o != want {
				t.Errorf("%d permille: %s", permille, o)
			}
		}
	}
}

func TestChaos_BoundsAndEnd(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, err := range map[string]error{
		"more than all": s.Chaos(1, 1001, 0), "fewer than none": s.Chaos(1, -1, 0), "delay": s.Chaos(1, 1, -1),
		"unknown": s.Chaos(1, 1, 0, "nothing"), "generic": s.Chaos(1, 1, 0, simulator.StatusBefore),
	} {
		if err == nil {
			t.Errorf("%s: started", name)
		}
	}
	query := raw{method: "GET", path: "/v3/payscore/partner/serviceorder?out_order_no=" + mealNo + "&sub_mchid=" + mealMch}
	modify := raw{method: "POST", path: modifyPath(mealNo), body: encode(t, document())}
	if err := s.Chaos(1, 1000, 0, simulator.Busy); err != nil {
		t.Fatal(err)
	}
	if status, _, _, _ := query.do(t, s); status != 200 {
		t.Errorf("a kind that does not exist for queries: %d", status)
	}
	if status, _, _, _ := modify.do(t, s); status != 400 {
		t.Errorf("modify: %d", status)
	}
	arm(t, s, simulator.Fault{Kind: simulator.NoAuth, Call: simulator.CallModify})
	if status, _, _, _ := modify.do(t, s); status != 403 {
		t.Errorf("what is scripted comes first: %d", status)
	}
	s.Disarm()
	if status, _, _, _ := modify.do(t, s); status != 204 {
		t.Errorf("disarmed: %d", status)
	}
}
