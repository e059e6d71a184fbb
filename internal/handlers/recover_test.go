package handlers_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
)

// A stop between the claim and the intent: certainly nothing was sent, and the order
// is free again.
func TestRecover_ClaimedWasNotSent(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	path := prepare(t, lin, "10")
	c := record(t, a, path)
	ctx := context.Background()
	if err := a.Store.Claim(ctx, c.ID, c.Ref, correction.Event{State: correction.Claimed, At: time.Now(), ActorID: c.AuthorID}, nil); err != nil {
		t.Fatal(err)
	}
	if page := lin.Get(bankPath); page.Status != 200 || state(t, a, path) != correction.Claimed {
		t.Fatalf("%d %s", page.Status, state(t, a, path))
	}
	if err := a.Service.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	if s := state(t, a, path); s != correction.NotSent {
		t.Fatalf("state %s", s)
	}
	if res := confirm(t, lin, prepare(t, lin, "10"), "10"); res.Status != 303 || a.Sim.Posts(bankOrder) != 1 {
		t.Fatalf("the order is not free: %d, %d POSTs", res.Status, a.Sim.Posts(bankOrder))
	}
}

// A stop after the intent: it may or may not have been sent. The order decides, and
// nothing is ever sent again.
func TestRecover_SendingIsDecidedByTheOrder(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string]bool{"the POST had left": true, "the POST had not left": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := apptest.Start(t, apptest.Options{})
			lin := a.As("lin")
			path := prepare(t, lin, "10")
			c := record(t, a, path)
			ctx := context.Background()
			sign := correction.NewSigning(a.Clock.Now())
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			must(a.Store.Claim(ctx, c.ID, c.Ref, correction.Event{State: correction.Claimed, At: time.Now(), ActorID: c.AuthorID}, nil))
			must(a.Store.MarkSending(ctx, c.ID, sign, correction.Event{State: correction.Sending, At: time.Now(), Detail: correction.Detail{SignMS: sign.At.UnixMilli()}}, nil))
			if sent {
				if answer := a.Service.Gateway.Modify(ctx, c.Ref, c.Body, sign); answer.Class != correction.Accepted {
					t.Fatalf("%+v", answer)
				}
			}
			posts := a.Sim.Posts(bankOrder)
			must(a.Service.Recover(ctx))
			must(a.Service.Recover(ctx)) // twice changes nothing
			if s := state(t, a, path); s != correction.Unknown {
				t.Fatalf("state %s", s)
			}
			settleUnknown(t, a, lin, path, sent)
			if n := a.Sim.Posts(bankOrder); n != posts {
				t.Fatalf("recovering sent %d", n-posts)
			}
		})
	}
}

// A check while the confirmation runs leaves it alone.
func TestCheck_DoesNotDisturbARunningConfirmation(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	path := prepare(t, lin, "10")
	form := url.Values{"token": {field(t, lin.Get(path).Body, "token")}, "typed_total": {"10"}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		lin.Post(path+"/confirmation", form)
	}()
	for {
		select {
		case <-done:
			if s := state(t, a, path); s != correction.Applied || a.Sim.Posts(bankOrder) != 1 {
				t.Fatalf("state %s, %d POSTs", s, a.Sim.Posts(bankOrder))
			}
			return
		default:
			lin.Post(path+"/check", url.Values{})
		}
	}
}

func TestWithdraw_OnlyByItsAuthorAndBeforeItIsConfirmed(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	path := prepare(t, lin, "10")
	if res := a.As("zhou").Post(path+"/withdrawal", url.Values{}); res.Status != 403 {
		t.Errorf("a supervisor withdraws somebody's: %d", res.Status)
	}
	if res := lin.Post(path+"/withdrawal", url.Values{}); res.Status != 303 || state(t, a, path) != correction.Withdrawn {
		t.Errorf("%d %s", res.Status, state(t, a, path))
	}
	second := prepare(t, lin, "10")
	confirm(t, lin, second, "10")
	lin.Post(second+"/withdrawal", url.Values{})
	if s := state(t, a, second); s != correction.Applied {
		t.Errorf("an applied correction became %s", s)
	}
}

// unwilling is the real store, but takes no outcome for a while: a full disk.
type unwilling struct {
	correction.Store
	refuse atomic.Bool
}

func (u *unwilling) Append(ctx context.Context, id int64, from correction.State, n int, e correction.Event) error {
	if u.refuse.Load() && from == correction.Sending {
		return errors.New("disk full")
	}
	return u.Store.Append(ctx, id, from, n, e)
}

// An outcome that cannot be recorded is not lost while the console runs: it is told
// as pending, and recorded as what it was once the record can be written.
func TestConfirm_OutcomeThatCannotBeRecordedIsRecordedLater(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	full := &unwilling{Store: a.Store}
	full.refuse.Store(true)
	a.Service.Store = full
	lin := a.As("lin")
	path := prepare(t, lin, "10")
	res := confirm(t, lin, path, "10")
	if res.Status != 503 || strings.Contains(res.Body, "没有提交任何改价") || !strings.Contains(res.Body, `href="`+path+`"`) {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	if s := state(t, a, path); s != correction.Sending || a.Sim.Posts(bankOrder) != 1 {
		t.Fatalf("state %s, %d POSTs", s, a.Sim.Posts(bankOrder))
	}
	if res := lin.Post(path+"/check", url.Values{}); !strings.Contains(res.Location, "checked=outcome_pending") || state(t, a, path) != correction.Sending {
		t.Fatalf("%s, state %s", res.Location, state(t, a, path))
	}
	full.refuse.Store(false)
	if err := a.Service.RecordPending(context.Background()); err != nil {
		t.Fatal(err)
	}
	c := record(t, a, path)
	if c.State != correction.Applied || c.Last().Detail.Class != correction.Accepted || c.Last().Detail.RequestID == "" || a.Sim.Posts(bankOrder) != 1 {
		t.Fatalf("%s %+v, %d POSTs", c.State, c.Last().Detail, a.Sim.Posts(bankOrder))
	}
}

// doubtful is the real store whose record of an intent is made but not confirmed: an
// error of the commit itself.
type doubtful struct{ correction.Store }

func (d doubtful) MarkSending(ctx context.Context, id int64, sign correction.Signing, e correction.Event, trial *correction.Trial) error {
	if err := d.Store.MarkSending(ctx, id, sign, e, trial); err != nil {
		return err
	}
	return correction.ErrCommitUnknown
}

// Without certainty that the intent is on record nothing is sent, and that is said.
func TestConfirm_IntentThatMayNotBeOnRecordIsNotSent(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	a.Service.Store = doubtful{a.Store}
	lin := a.As("lin")
	path := prepare(t, lin, "10")
	if res := confirm(t, lin, path, "10"); res.Status != 503 || !strings.Contains(res.Body, "没有提交任何改价") {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	c := record(t, a, path)
	if c.State != correction.NotSent || c.Last().Detail.Cause != correction.CauseNoRecord || a.Sim.Posts(bankOrder) != 0 {
		t.Fatalf("%s %+v, %d POSTs", c.State, c.Last().Detail, a.Sim.Posts(bankOrder))
	}
	a.Service.Store = a.Store
	if res := confirm(t, lin, prepare(t, lin, "10"), "10"); res.Status != 303 || a.Sim.Posts(bankOrder) != 1 {
		t.Fatalf("the order is not free: %d, %d POSTs", res.Status, a.Sim.Posts(bankOrder))
	}
}
