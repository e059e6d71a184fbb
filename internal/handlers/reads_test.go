package handlers_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
	"correction-console/internal/handlers"
)

// counting counts the calls to WeChat that go through the real gateway.
type counting struct {
	correction.Gateway
	calls atomic.Int64
}

func (g *counting) Query(ctx context.Context, ref correction.Ref) (correction.Reading, error) {
	g.calls.Add(1)
	return g.Gateway.Query(ctx, ref)
}

func (g *counting) Modify(ctx context.Context, ref correction.Ref, body []byte, s correction.Signing) correction.Answer {
	g.calls.Add(1)
	return g.Gateway.Modify(ctx, ref, body, s)
}

// everyState puts a correction in each state on record that one can stay in.
func everyState(t *testing.T, a *apptest.App) []int64 {
	t.Helper()
	ways := [][]correction.State{
		nil, {correction.Withdrawn}, {correction.Expiry}, {correction.Awaiting}, {correction.Awaiting, correction.Returned}, {correction.Awaiting, correction.Stale},
		{correction.Awaiting, correction.Expiry}, apptest.WayDeclined, {correction.Claimed}, {correction.Claimed, correction.Stale}, {correction.Claimed, correction.Sending},
		apptest.WayApplied, apptest.WayLate, apptest.WayUnknown, apptest.WayConflict, apptest.WayRejected, apptest.WayNotApplied, apptest.WayNotSent,
	}
	var out []int64
	for i, way := range ways {
		ref := a.Order(fmt.Sprintf("STATE-%d", i), 9000) // the order says something else than any of them
		out = append(out, a.Put(apptest.Past{
			Login: "lin", Merchant: ref.SubMchID, Service: ref.ServiceID, Order: ref.OutOrderNo, Base: 10000, Target: 5000,
			Reason: "timing", At: a.Clock.Now(), States: way,
		}))
	}
	return out
}

// Who reads changes nothing: no GET appends an event, and only the look-up, the order's
// page and its form ask WeChat.
func TestReads_AppendNothingAndAskNobody(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	gateway := &counting{Gateway: a.Service.Gateway}
	a.Service.Gateway = gateway
	must(t, a.Service.StartReconciling(t.Context()))
	all := everyState(t, a)
	events := func() int {
		n := 0
		for _, id := range all {
			n += len(a.Record(id).Events)
		}
		return n
	}
	asks := []string{"/orders", "/orders/:sub_mchid/:out_order_no", "/orders/:sub_mchid/:out_order_no/correction"}
	before, tried := events(), 0
	for _, login := range []string{"lin", "wu", "zhou", "he", "shen"} {
		c := a.As(login)
		for _, r := range handlers.Rows() {
			if r.Method != http.MethodGet {
				continue
			}
			var paths []string
			switch {
			case strings.Contains(r.Path, ":id"):
				for _, id := range all {
					paths = append(paths, strings.ReplaceAll(r.Path, ":id", fmt.Sprint(id)))
				}
			case r.Path == "/approvals":
				paths = append(paths, r.Path)
				for _, id := range all {
					paths = append(paths, fmt.Sprintf("%s?id=%d", r.Path, id))
				}
			case r.Path == "/orders":
				paths = append(paths, "/orders?out_order_no="+bankOrder)
			default:
				paths = append(paths, concrete(r.Path))
			}
			for _, path := range paths {
				calls := gateway.calls.Load()
				res := c.Get(path)
				tried++
				if now := events(); now != before {
					t.Errorf("%s GET %s (%d): %d events appended", login, path, res.Status, now-before)
					before = now
				}
				if n := gateway.calls.Load() - calls; n > 0 && !slices.Contains(asks, r.Path) {
					t.Errorf("%s GET %s (%d): %d calls to WeChat", login, path, res.Status, n)
				}
			}
		}
	}
	t.Logf("%d reads of %d corrections", tried, len(all))
	if gateway.calls.Load() == 0 {
		t.Error("not even the order's page asked WeChat: nothing was tried")
	}
}

// What an approver sees is the newest reading that somebody else made; "read it now" is a
// post.
func TestApprovals_ShowTheNewestReading(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	a.AgentLimit(correction.Limit{Per: fen(100)})
	lin := a.Who("lin")
	must(t, a.Service.StartReconciling(t.Context()))
	c := a.Propose(lin, a.Order("SEEN-1", 100000), 50000)
	must(t, a.Confirm(lin, c))
	zhou := a.As("zhou")
	page := fmt.Sprintf("/approvals?id=%d", c.ID)
	says := func(want string) {
		t.Helper()
		if body := zhou.Get(page).Body; !strings.Contains(body, want) {
			t.Errorf("the case does not say %q", want)
		}
	}
	says("提交以后还没有再读过订单")
	check := fmt.Sprintf("/corrections/%d/check", c.ID)
	if res := zhou.Post(check, map[string][]string{"back": {"approvals"}}); res.Status != http.StatusSeeOther || res.Location != page {
		t.Fatalf("read now: %d %s", res.Status, res.Location)
	}
	says("订单没有变化（不到 1 分钟前）")
	a.Clock.Advance(7 * 60e9)
	says("订单没有变化（7 分钟前）")
	a.Sim.Close()
	if res := zhou.Post(check, map[string][]string{"back": {"approvals"}}); res.Location != page+"&checked=unreachable" {
		t.Errorf("read while WeChat is away: %d %s", res.Status, res.Location)
	}
	a.Clock.Advance(2 * correction.AwaitingEvery)
	a.Service.RunDue(t.Context())
	says("没有读到订单，看到的是之前的样子")
	if got := a.Record(c.ID); got.State != correction.Awaiting || len(got.Events) != 2 {
		t.Errorf("%s, %d events", got.State, len(got.Events))
	}
	for _, back := range []string{"elsewhere", "//evil.example"} {
		if res := zhou.Post(check, map[string][]string{"back": {back}}); res.Status != http.StatusBadRequest {
			t.Errorf("back=%s: %d %s", back, res.Status, res.Location)
		}
	}
}
