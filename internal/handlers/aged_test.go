package handlers_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
)

// stuck is the real store whose settings and proposals cannot be read for now.
type stuck struct {
	correction.Store
	asked atomic.Int64
	open  chan struct{}
}

var errStuck = errors.New("there is no connection")

func (s *stuck) Settings(context.Context) ([]correction.SettingVersion, error) {
	s.asked.Add(1)
	<-s.open
	return nil, errStuck
}

func (s *stuck) Proposals(context.Context) ([]correction.Proposal, error) {
	s.asked.Add(1)
	<-s.open
	return nil, errStuck
}

func (s *stuck) Concerns(context.Context, time.Time) (correction.Concerns, error) {
	s.asked.Add(1)
	<-s.open
	return correction.Concerns{}, errStuck
}

// While settings or alarms cannot be read nobody waits longer than their own context lets them, an
// edit or an event does not wait at all, and those who wait for one reading share its failure instead
// of trying one after the other.
func TestSettings_NothingIsHeldWhileTheyAreRead(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou := a.Who("zhou")
	for name, read := range map[string]func(context.Context) error{
		"settings": func(ctx context.Context) error { _, err := a.Service.Settings(ctx); return err },
		"concerns": func(ctx context.Context) error { _, err := a.Service.Concerns(ctx); return err },
		"waiting":  func(ctx context.Context) error { _, err := a.Service.Waiting(ctx, zhou); return err },
	} {
		s := &stuck{Store: a.Store, open: make(chan struct{})}
		a.Service.Store = s
		a.Service.ForgetSettings()
		a.Clock.Advance(time.Minute) // what was read of concerns is old
		const many = 20
		failed := make(chan error, many)
		for range many {
			go func() { failed <- read(context.Background()) }()
		}
		for s.asked.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		done := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			done <- read(ctx)
		}()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: who gave up waits all the same", name)
		}
		close(s.open)
		for range many {
			if err := <-failed; !errors.Is(err, errStuck) {
				t.Errorf("%s: %v", name, err)
			}
		}
		a.Service.Store = a.Store
		a.Service.ForgetSettings()
		if err := read(context.Background()); err != nil {
			t.Errorf("%s afterwards: %v", name, err)
		}
	}
}
