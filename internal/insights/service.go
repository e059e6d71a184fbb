package insights

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"correction-console/internal/correction"
)

// Store is what figures are read from.
type Store interface {
	// Facts calls each for the facts of the corrections that were prepared at or after
	// from and before to; a block may hold facts beside those. Without devices they name
	// none. each must not read.
	Facts(ctx context.Context, from, to time.Time, devices bool, each func(*FactBlock)) error
	// RollUp prepares up to limit blocks of facts that are not prepared, newest first.
	RollUp(ctx context.Context, limit int) (done int, err error)

	// Names of what the figures are grouped by.
	Authors(ctx context.Context, scope correction.Scope) ([]correction.Author, error)
	Merchants(ctx context.Context) ([]correction.Merchant, error)
	Offering(ctx context.Context, serviceID string) (correction.Offering, error) // correction.ErrNoRow
}

// Service works figures out. Safe for concurrent use.
type Service struct {
	store Store
}

// New returns a service that reads from a store.
func New(store Store) *Service { return &Service{store: store} }

// Insights are the figures of the days from until before to, which are starts of days,
// of the merchants in the actor's scope.
func (s *Service) Insights(ctx context.Context, a correction.Actor, from, to time.Time) (Insights, error) {
	if !a.Can(correction.ReadReviews) {
		return Insights{}, &correction.Error{Kind: correction.Forbidden, Code: correction.CodeForbidden}
	}
	days := correction.DaysBetween(from, to)
	if days < 1 || days > MostInsightDays {
		return Insights{}, &correction.Error{Kind: correction.Invalid, Code: correction.CodeNotFound}
	}
	in := Insights{From: from, To: to, PriorFrom: correction.AddDays(from, -days), Days: days, OutOfScope: !a.Scope.All}
	prior := newTallies(a.Scope, []time.Time{in.PriorFrom, from})
	var starts []time.Time
	starts, in.Step = StretchesOf(from, to)
	t := newTallies(a.Scope, starts)
	// The two periods beside each other: each takes half of the time of the page.
	before := make(chan error, 1)
	go func() {
		defer func() { // the page fails, and nothing else
			if r := recover(); r != nil {
				before <- fmt.Errorf("panic: %v", r)
			}
		}()
		before <- s.store.Facts(ctx, in.PriorFrom, from, false, func(b *FactBlock) { prior.sum(b) })
	}()
	err := s.store.Facts(ctx, from, to, true, t.add)
	if err = errors.Join(<-before, err); err != nil {
		return Insights{}, err
	}
	in.Prior, in.Total = prior.total.figures(), t.total.figures()
	for i := range t.stretches {
		in.Stretches = append(in.Stretches, Stretch{From: starts[i], To: starts[i+1], Figures: t.stretches[i].figures()})
	}
	return in, s.name(ctx, a, t, &in)
}

// name completes insights with the groups and what people call them.
func (s *Service) name(ctx context.Context, a correction.Actor, t *tallies, in *Insights) error {
	authors, err := s.store.Authors(ctx, a.Scope)
	if err != nil {
		return err
	}
	author := map[int64]correction.Author{}
	for _, p := range authors {
		author[p.ID] = p
	}
	in.Agents = groups(t.agents, func(id int64) Group {
		if p, ok := author[id]; ok {
			return Group{Key: p.Login, Name: p.Name}
		}
		return Group{Name: "#" + strconv.FormatInt(id, 10)}
	})
	in.Reasons = groups(t.reasons, func(code string) Group { return Group{Key: code, Reason: t.reason[code]} })
	merchants, err := s.store.Merchants(ctx)
	if err != nil {
		return err
	}
	called := map[string]string{}
	for _, m := range merchants {
		called[m.SubMchID] = m.Name
	}
	in.Merchants = groups(t.merchants, func(id string) Group { return Group{Key: id, Name: called[id]} })
	in.Services = groups(t.services, func(id string) Group { return Group{Key: id} })
	for i, g := range in.Services {
		o, err := s.store.Offering(ctx, g.Key)
		if err != nil && !errors.Is(err, correction.ErrNoRow) {
			return err
		}
		in.Services[i].Name = o.Name
	}
	in.Devices = t.topDevices()
	return nil
}

// rollUpAtOnce bounds what one round of housekeeping works out.
const rollUpAtOnce = 128

// RollUp prepares the figures of corrections that are on record, the newest first, so
// that the page of figures is fast. It does a bounded part of it.
func (s *Service) RollUp(ctx context.Context) error {
	_, err := s.store.RollUp(ctx, rollUpAtOnce)
	return err
}
