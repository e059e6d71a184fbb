package handlers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
	"correction-console/internal/store/sqlite"
)

// approvedBy is an applied correction of lin's that this supervisor approved.
func approvedBy(t *testing.T, a *apptest.App, login, no string) correction.Correction {
	t.Helper()
	zero := correction.Fen(0)
	a.AgentLimit(correction.Limit{Per: &zero})
	lin := a.Who("lin")
	c := a.Propose(lin, a.Order(no, 10000), 9000)
	must(t, a.Confirm(lin, c))
	must(t, a.Service.Approve(context.Background(), a.Who(login), c.ID, "", ""))
	if c = a.Record(c.ID); c.State != correction.Applied {
		t.Fatalf("it is %s", c.State)
	}
	return c
}

// Who approved a correction says nothing of it in a review, one by one or in bulk, as long
// as another active supervisor has the merchant in scope; the page says why, the store
// holds to it, and when nobody else could, record and day name it.
func TestSecond_WhoApprovedDoesNotReview(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, x := range map[string]struct {
		other func(*apptest.App) // what became of the second supervisor
		alone bool
	}{
		"another supervisor":         {func(*apptest.App) {}, false},
		"disabled":                   {func(a *apptest.App) { must(t, a.Store.SetDisabled(ctx, "qian", true)) }, true},
		"of another merchant":        {func(a *apptest.App) { instead(t, a, correction.Supervisor, "1900021408") }, true},
		"of this merchant among two": {func(a *apptest.App) { instead(t, a, correction.Supervisor, "1900021408", "1900022254") }, false},
		"no supervisor any more":     {func(a *apptest.App) { instead(t, a, correction.Auditor) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := apptest.Start(t, apptest.Options{})
			c, bulk := approvedBy(t, a, "zhou", "SECOND-1"), approvedBy(t, a, "zhou", "SECOND-2")
			x.other(a)
			path := fmt.Sprintf("/corrections/%d", c.ID)
			zhou := a.As("zhou")
			form := strings.Contains(zhou.Get(path).Body, `value="fine"`)
			if text := zhou.Get(path).Body; form != x.alone || !strings.Contains(text, "这笔是你批准的") {
				t.Errorf("the form is there: %v", form)
			}
			if list := zhou.Get("/review?tab=open").Body + zhou.Get("/review?tab=plain").Body; strings.Contains(list, fmt.Sprintf(`value="%d:`, bulk.ID)) != x.alone || strings.Contains(list, "你批准的，要别的主管复核") == x.alone {
				t.Errorf("the list of what is to be reviewed")
			}
			for _, mark := range []string{"fine", "wrong", "queried"} {
				res := zhou.Post(path+"/review", url.Values{"mark": {mark}, "text": {"看过了"}})
				if want := map[bool]int{false: http.StatusForbidden, true: http.StatusSeeOther}[x.alone]; res.Status != want && !(x.alone && mark != "fine") {
					t.Errorf("%s: %d", mark, res.Status)
				}
			}
			done, err := a.Service.SignOff(ctx, a.Who("zhou"), []correction.Picked{{ID: bulk.ID}}, correction.ReviewFine, "一起")
			if err != nil || (done.Signed == 1) != x.alone {
				t.Errorf("in bulk: %+v, %v", done, err)
			}
			now := a.Record(c.ID)
			for _, alone := range []bool{false, true} { // past the service
				err := a.Store.Append(ctx, c.ID, now.State, now.Last().N, correction.Event{State: now.State, At: a.Clock.Now(), ActorID: a.Who("zhou").UserID, Detail: correction.Detail{Review: correction.ReviewFine, Alone: alone}})
				if (err == nil) != (x.alone && alone) {
					t.Errorf("the store, alone %v: %v", alone, err)
				}
			}
			if x.alone {
				if e, ok := a.Record(c.ID).Review(); !ok || !e.Detail.Alone {
					t.Errorf("the record does not say it: %+v", e)
				}
				if text := a.As("shen").Get(path).Body; !strings.Contains(text, "批准的也是这个人") {
					t.Error("the page does not name it")
				}
				day := "/review/days/" + a.Service.DayName(a.Clock.Now())
				if text := zhou.Get(day).Body; !strings.Contains(text, "周启明 批准后又自己核对了 2 笔") {
					t.Errorf("the day does not name it:\n%s", text)
				}
				for _, id := range []int64{c.ID, bulk.ID} {
					if e, ok := a.Record(id).Review(); ok && e.Detail.Review != correction.ReviewFine {
						must(t, a.Service.Review(ctx, a.Who("lin"), id, correction.ReviewSaid{Mark: string(correction.ReviewAnswered), Text: "是这样"}))
						must(t, a.Service.Review(ctx, a.Who("zhou"), id, correction.ReviewSaid{Mark: "fine"}))
					}
				}
				if res := zhou.Post(day, url.Values{"n": {"0"}, "action": {"closed"}, "text": {""}}); res.Status != http.StatusSeeOther {
					t.Fatalf("close: %d\n%s", res.Status, res.Body)
				}
				if text := a.As("shen").Get(day).Body; strings.Count(text, "批准后又自己核对了") < 2 {
					t.Error("the closing does not name it")
				}
				return
			}
			other := a.Who("qian")
			if name != "another supervisor" {
				other = a.Who("sun")
			}
			must(t, a.Service.Review(ctx, other, c.ID, correction.ReviewSaid{Mark: "fine"}))
			must(t, a.Service.Review(ctx, a.Who("zhou"), c.ID, correction.ReviewSaid{Mark: correction.ReviewNote, Text: "备注照样能写"}))
			if e := a.Record(c.ID); e.Last().Detail.Alone {
				t.Error("it says that somebody was alone")
			}
		})
	}
}

// instead puts another person in the place of the second supervisor; no merchants: all.
func instead(t *testing.T, a *apptest.App, role correction.Role, merchants ...string) {
	t.Helper()
	must(t, a.Store.SetDisabled(context.Background(), "qian", true))
	must(t, a.Store.AddUser(context.Background(), sqlite.UserSpec{Username: "sun", Name: "孙立", Role: role, All: merchants == nil, Merchants: merchants, PasswordHash: "-"}))
}

// Who approved a correction is not the second person of its ruling, unless the only other
// supervisor is the first.
func TestSecond_WhoApprovedDoesNotAgree(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, third := range map[string]bool{"a third supervisor": true, "nobody else": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := apptest.Start(t, apptest.Options{})
			if third {
				must(t, a.Store.AddUser(ctx, sqlite.UserSpec{Username: "sun", Name: "孙立", Role: correction.Supervisor, All: true, PasswordHash: "-"}))
			}
			zero := correction.Fen(0)
			a.AgentLimit(correction.Limit{Per: &zero})
			lin, zhou, qian := a.Who("lin"), a.Who("zhou"), a.Who("qian")
			c := a.Propose(lin, a.Order("RULE-1", 10000), 9000)
			must(t, a.Confirm(lin, c))
			n := a.Record(c.ID).Last().N
			// Approved and sent; what became of it nobody can tell.
			must(t, a.Store.Approve(ctx, c.ID, n, correction.Event{State: correction.Approved, At: a.Clock.Now(), ActorID: zhou.UserID, Detail: correction.Detail{BodySHA256: fmt.Sprintf("%x", c.BodySHA256)}},
				correction.Event{State: correction.Claimed, At: a.Clock.Now(), ActorID: zhou.UserID}, nil))
			must(t, a.Store.MarkSending(ctx, c.ID, correction.NewSigning(a.Clock.Now()), correction.Event{State: correction.Sending, At: a.Clock.Now()}, nil))
			must(t, a.Store.Append(ctx, c.ID, correction.Sending, n+3, correction.Event{State: correction.NeedsPerson, At: a.Clock.Now()}))
			must(t, a.Service.Resolve(ctx, qian, c.ID, correction.Resolution{Text: "商户后台查过", Ruling: correction.RuledApplied}))
			path := fmt.Sprintf("/corrections/%d", c.ID)
			page := a.As("zhou").Get(path).Body
			if strings.Contains(page, `name="agrees"`) == third || !strings.Contains(page, "这笔是你批准的") {
				t.Errorf("the page of who approved it")
			}
			now := a.Record(c.ID)
			for _, alone := range []bool{false, third} { // past the service
				err := a.Store.Append(ctx, c.ID, now.State, now.Last().N, correction.Event{State: correction.Resolved, At: a.Clock.Now(), ActorID: zhou.UserID,
					Detail: correction.Detail{Ruling: correction.RuledApplied, Agrees: now.Last().N, Alone: alone}})
				if err == nil {
					t.Errorf("the store takes it, alone %v", alone)
				}
			}
			err := a.Service.Resolve(ctx, zhou, c.ID, correction.Resolution{Text: "我也看过", Agrees: now.Last().N})
			if third && correction.CodeOf(err) != correction.CodeOwnApproval || !third && err != nil {
				t.Fatalf("agreed: %v", err)
			}
			if third {
				must(t, a.Service.Resolve(ctx, a.Who("sun"), c.ID, correction.Resolution{Text: "我也看过", Agrees: now.Last().N}))
			}
			if c := a.Record(c.ID); c.State != correction.Resolved || c.Last().Detail.Alone == third {
				t.Errorf("on record: %s, %+v", c.State, c.Last().Detail)
			}
		})
	}
}
