package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"correction-console/internal/correction"
)

// Who waits for the directory together with others is refused together with them, and
// does not begin to wait once more. Only when whoever reads it went away somebody else
// takes that over.
func TestDirectory_IsRefusedToAllAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openTest(t)
		s.reader.within = time.Hour
		var held []*longRead
		for range s.reader.links {
			held = append(held, readLong(t, &s.reader))
		}
		ask := func(all *sync.WaitGroup, want error, after time.Duration, ctx context.Context) {
			begun := time.Now()
			all.Go(func() {
				_, err := s.directory(ctx)
				if d := time.Since(begun); !errors.Is(err, want) || d != after {
					t.Errorf("after %s: %v, want after %s: %v", d, err, after, want)
				}
			})
			synctest.Wait()
		}
		var all sync.WaitGroup
		for range 5 {
			ask(&all, correction.ErrCrowded, s.reader.wait, t.Context())
		}
		all.Wait()

		leaves, leave := context.WithCancel(t.Context())
		ask(&all, context.Canceled, time.Second, leaves)
		for range 4 {
			ask(&all, correction.ErrCrowded, time.Second+s.reader.wait, t.Context())
		}
		time.Sleep(time.Second)
		leave()
		all.Wait()

		for range 5 {
			ask(&all, nil, time.Second, t.Context())
		}
		time.Sleep(time.Second)
		for _, r := range held {
			r.end(t)
		}
		all.Wait()
	})
}

// A panic of whoever reads the directory keeps it from nobody else.
func TestDirectory_IsReadAfterAPanic(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	h, err := s.reader.hold(t.Context())
	must(t, err)
	func() {
		defer func() {
			if r := recover(); !strings.Contains(fmt.Sprint(r), "a second connection") {
				t.Fatalf("no panic, or another one: %v", r)
			}
		}()
		s.directory(t.Context()) // refused by the guard
	}()
	h.close()
	if s.directories.reading != nil {
		t.Fatal("somebody reads it for ever")
	}
	_, err = s.directory(t.Context())
	must(t, err)
}
