package correction

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// In no minute, wherever it begins, more are let through than there may be.
func TestLookups_NoMinuteHasMore(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	l := &Lookups{PerMinute: 7}
	now := time.Unix(1_800_000_000, 0)
	through := map[int64][]time.Time{}
	for i := range 20_000 {
		now = now.Add(time.Duration(rng.IntN(4000)) * time.Millisecond)
		who := int64(rng.IntN(3))
		wait := l.take(who, actLookUp, fmt.Sprint(i), now)
		list := through[who]
		full := len(list) >= 7 && now.Sub(list[len(list)-7]) < lookupWindow
		if (wait > 0) != full || wait > lookupWindow {
			t.Fatalf("look-up %d: wait %s with %d", i, wait, len(list))
		}
		if wait > 0 {
			if next := list[len(list)-7].Add(lookupWindow); !now.Add(wait).Equal(next) {
				t.Fatalf("told to wait until %s, not %s", now.Add(wait), next)
			}
			continue
		}
		through[who] = append(list, now)
	}
	if n := len(l.people); n != 3 {
		t.Errorf("%d people are remembered", n)
	}
}

func TestLookups_NothingIsCountedWithoutALimit(t *testing.T) {
	t.Parallel()
	l := &Lookups{}
	now := time.Now()
	for range 1000 {
		if l.take(1, actLookUp, "A", now)+l.open(1, "A", now)+l.take(1, actCheck, "", now) != 0 {
			t.Fatal("refused")
		}
	}
	if len(l.people) != 0 {
		t.Error("remembered")
	}
}

func TestLookups_AClockThatIsSetBackLocksNobodyOut(t *testing.T) {
	t.Parallel()
	l := &Lookups{PerMinute: 1}
	now := time.Unix(1_800_000_000, 0)
	l.take(1, actLookUp, "A", now)
	if wait := l.take(1, actLookUp, "B", now.Add(-time.Hour)); wait != 0 {
		t.Errorf("wait %s", wait)
	}
}

// Who rests is forgotten: strangers' ids do not fill the memory.
func TestLookups_RememberOnlyTheBusy(t *testing.T) {
	t.Parallel()
	l := &Lookups{PerMinute: 5}
	now := time.Unix(1_800_000_000, 0)
	for i := range int64(5 * restPeople) {
		l.take(i, actLookUp, "A", now.Add(time.Duration(i)*time.Second))
	}
	if n := len(l.people); n > restPeople+1 {
		t.Errorf("%d people are remembered", n)
	}
}

// A person has one place for a look-up without a merchant, and all together have few.
func TestLookups_GuessesHaveAShare(t *testing.T) {
	t.Parallel()
	var l Lookups
	soon := func() context.Context {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return ctx
	}
	var done []func()
	for who := range int64(mostGuesses) {
		_, end, ok := l.guess(context.Background(), who)
		if !ok {
			t.Fatal("no place")
		}
		done = append(done, end)
	}
	for _, who := range []int64{0, 99} {
		if _, _, ok := l.guess(soon(), who); ok {
			t.Errorf("person %d has a place too many", who)
		}
	}
	done[0]()
	query, end, ok := l.guess(context.Background(), 99)
	if !ok {
		t.Fatal("no place after one was given back")
	}
	for range guessBurst {
		if err := query(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := query(short); err == nil {
		t.Error("a query beyond the share")
	}
	end()
}
