package correction

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// LooseAfter is how long an edit that loosens waits where nobody could agree to it but
// its author, the one supervisor for all merchants. The schema knows it, too.
const LooseAfter = 24 * time.Hour

// Proposal is an edit that loosens and waits for a second supervisor, or waited.
type Proposal struct {
	Name      string // of a setting, or CatalogServices
	N         int    // the version that it becomes; never used for another one of that name
	Key       string // id of the service
	Base      int    // version in force that it starts from
	At        time.Time
	ActorID   int64 // 0 = the command line
	ActorName string
	Before    json.RawMessage // in force then; null = there was none
	After     json.RawMessage
	Alone     bool         // its author was the one supervisor for all merchants
	End       *ProposalEnd // nil: it waits
}

// ProposalHow is how a proposal ended.
type ProposalHow string

// Ends of proposals. The first two came into force.
const (
	ProposalAgreed    ProposalHow = "agreed"
	ProposalWaited    ProposalHow = "waited" // LooseAfter was over
	ProposalDeclined  ProposalHow = "declined"
	ProposalWithdrawn ProposalHow = "withdrawn" // by its author
	ProposalOvertaken ProposalHow = "overtaken" // what it starts from, or whom it names, changed
)

// ProposalEnd is how one ended, and by whom.
type ProposalEnd struct {
	How       ProposalHow
	At        time.Time
	ActorID   int64 // 0 = nobody
	ActorName string
}

// SettingEdit is a value that comes into force at once, in the place of version Base.
type SettingEdit struct {
	Name    SettingName
	Base    int
	Value   json.RawMessage
	ActorID int64
	IP      string
	At      time.Time
}

// Agreement is what somebody, or the time, decides about a proposal.
type Agreement struct {
	Name    string
	N       int
	How     ProposalHow
	ActorID int64 // 0 = the time
	IP      string
	At      time.Time
	Judged  map[SettingName]int // the versions by which it was judged; nil: it was not
}

// Errors of a Store about proposals.
var (
	ErrNoRight    = errors.New("the person may not do that, or may not any more")
	ErrLoosens    = errors.New("the edit loosens and takes a second person")
	ErrAuthorGone = errors.New("the author of the edit may not make it any more")
)

// WholeSupervisor reports whether the person may agree to what loosens: an active
// supervisor whose scope is all merchants.
func (p Person) WholeSupervisor() bool {
	return !p.Disabled && (Actor{Role: p.Role}).Can(EditSettings) && p.Scope.All
}

// MayEditSettings reports whether the actor may edit the settings of all merchants: by
// role, and because they may touch all of them.
func (a Actor) MayEditSettings() bool { return a.Can(EditSettings) && a.Scope.All }

// MayEditServices is MayEditSettings for services, which all merchants share.
func (a Actor) MayEditServices() bool { return a.Can(EditCatalog) && a.Scope.All }

// MayEditMerchant reports whether the actor may edit a merchant. A new one is in nobody's
// scope but that of all merchants.
func (a Actor) MayEditMerchant(m Merchant, fresh bool) bool {
	return a.Can(EditCatalog) && a.Scope.Allows(m.SubMchID) && (a.Scope.All || !fresh)
}

// ProposalWay is how a proposal can come into force.
type ProposalWay string

// Ways.
const (
	WayAgreement ProposalWay = "agreement" // somebody else agrees
	WayTime      ProposalWay = "time"      // nobody else could: LooseAfter
	WayAgain     ProposalWay = "again"     // nobody else can any more: its author saves it once more, then WayTime
	WayNobody    ProposalWay = "nobody"    // no supervisor is for all merchants
)

// Way is how the proposal can come into force, with people as they are. Time is enough
// only for the one supervisor for all merchants who was that already when they saved.
func (p Proposal) Way(people []Person) ProposalWay {
	author := false
	for _, x := range people {
		if !x.WholeSupervisor() {
			continue
		}
		if x.ID != p.ActorID {
			return WayAgreement
		}
		author = true
	}
	switch {
	case !author:
		return WayNobody
	case p.Alone:
		return WayTime
	}
	return WayAgain
}

// InForceAt is when the time is over.
func (p Proposal) InForceAt() time.Time { return p.At.Add(LooseAfter) }

// Open is a proposal that waits, with what the reader may do about it.
type Open struct {
	Proposal
	Way         ProposalWay
	MayAgree    bool // and decline
	MayWithdraw bool
	Through     Through
}

// openFor tells what the actor may do about a proposal.
func (b Basis) openFor(p Proposal) Open {
	return Open{Proposal: p, Way: p.Way(b.People), MayAgree: b.Actor.MayEditSettings() && p.ActorID != b.Actor.UserID,
		MayWithdraw: p.ActorID == b.Actor.UserID}
}

// open lists what waits under a name, with the corrections that it would have let
// through.
func (s *Service) open(ctx context.Context, b Basis, name string) ([]Open, error) {
	list, err := s.Store.Proposals(ctx)
	if err != nil {
		return nil, err
	}
	var out []Open
	for _, p := range list {
		if p.Name != name {
			continue
		}
		o := b.openFor(p)
		if o.Through, err = s.through(ctx, b, p); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// Waiting lists what waits, for the banner of those who may see the settings. It is as
// old as the settings in memory may be.
func (s *Service) Waiting(ctx context.Context, a Actor) ([]Open, error) {
	if !a.Can(ReadSettings) {
		return nil, nil
	}
	w, err := s.waiting.get(ctx, time.Now(), settingsAge, func(ctx context.Context) (w waitingEdits, err error) {
		if w.list, err = s.Store.Proposals(ctx); err == nil && len(w.list) > 0 {
			w.people, err = s.Store.People(ctx)
		}
		return w, err
	})
	if err != nil {
		return nil, err
	}
	b := Basis{Actor: a, People: w.people}
	var out []Open
	for _, p := range w.list {
		out = append(out, b.openFor(p))
	}
	return out, nil
}

// waitingEdits are what waits, and who could agree.
type waitingEdits struct {
	list   []Proposal
	people []Person
}

// Saved is what became of an edit.
type Saved int

// What becomes of an edit.
const (
	NotSaved   Saved = iota // it was no change, or there are problems
	SavedNow                // it is in force
	SavedWaits              // it loosens: a second supervisor has to agree
)

// propose keeps an edit that loosens until a second supervisor agrees.
func (s *Service) propose(ctx context.Context, p Proposal, ip string) error {
	n, err := s.Store.Propose(context.WithoutCancel(ctx), p, ip)
	s.ForgetSettings()
	if err == nil {
		s.Log.Info("setting waits", "name", p.Name, "key", p.Key, "version", n, "user", p.ActorID)
	}
	return agreementError(err)
}

func agreementError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrTaken):
		return fail(Conflict, CodeWaiting, err)
	case errors.Is(err, ErrMoved):
		return fail(Conflict, CodeEdited, err)
	case errors.Is(err, ErrNoRow):
		return fail(Conflict, CodeEdited, err)
	case errors.Is(err, ErrNoRight):
		return fail(Forbidden, CodeWholeScope, err)
	case errors.Is(err, ErrAuthorGone):
		return fail(Conflict, CodeAuthorGone, err)
	}
	return fail(Unavailable, CodeNoRecord, err)
}

// Agree puts what waits under a name as version n into force, or declines it: a second
// supervisor for all merchants does. Its author may decline, which withdraws it. It is
// judged anew by what there is now: problems tell why it cannot come into force;
// CodeEdited when it does not wait any more, CodeSecondPerson to its author.
func (s *Service) Agree(ctx context.Context, a Actor, name string, n int, agree bool, ip string) (problems []Notice, err error) {
	if !a.Can(EditSettings) && !a.Can(EditCatalog) {
		return nil, fail(Forbidden, CodeForbidden, nil)
	}
	s.editing.Lock()
	defer s.editing.Unlock()
	b, _, err := s.basis(ctx, a)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Proposals(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(p Proposal) bool { return p.Name == name && p.N == n })
	if i < 0 {
		return nil, fail(Conflict, CodeEdited, nil)
	}
	p, how := list[i], ProposalDeclined
	switch own := p.ActorID == a.UserID; {
	case own && agree:
		return nil, fail(Forbidden, CodeSecondPerson, nil)
	case own:
		how = ProposalWithdrawn
	case !a.MayEditSettings():
		return nil, fail(Forbidden, CodeWholeScope, nil)
	case agree:
		how = ProposalAgreed
		if problems, err = b.stands(p); err != nil || len(problems) > 0 {
			return problems, err
		}
	}
	err = s.Store.Decide(context.WithoutCancel(ctx), Agreement{Name: name, N: n, How: how, ActorID: a.UserID, IP: ip, At: s.Now(), Judged: b.Settings.N})
	s.ForgetSettings()
	if err != nil {
		return nil, agreementError(err)
	}
	s.Log.Info("setting decided", "name", name, "version", n, "how", how, "user", a.UserID)
	return nil, nil
}

// stands judges a proposal by what there is now, as it was judged when it was saved.
func (b Basis) stands(p Proposal) ([]Notice, error) {
	if p.Name == CatalogServices {
		return nil, nil
	}
	name := SettingName(p.Name)
	if b.Settings.N[name] != p.Base {
		return nil, fail(Conflict, CodeEdited, nil)
	}
	then, err := b.Settings.With(name, p.After)
	if err != nil {
		return nil, fmt.Errorf("setting %s, version %d: %w", p.Name, p.N, err)
	}
	author := b
	author.Actor = Actor{UserID: p.ActorID}
	value, problems := ParseSetting(name, then.Typed(name), author)
	if len(problems) > 0 {
		return problems, nil
	}
	raw, err := json.Marshal(value)
	if err == nil && !bytes.Equal(raw, p.After) { // the people whom it names are others now
		err = fail(Conflict, CodeEdited, nil)
	}
	return nil, err
}

// EndWaits puts into force what has waited long enough where nobody could agree. It is
// judged in the transaction that does it; whoever can agree by then has to. What cannot
// come into force any more, as the people whom it names are others now, is overtaken.
func (s *Service) EndWaits(ctx context.Context) error {
	list, err := s.Store.Proposals(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range list {
		if p.Alone && !s.Now().Before(p.InForceAt()) {
			errs = append(errs, s.endWait(ctx, p))
		}
	}
	return errors.Join(errs...)
}

func (s *Service) endWait(ctx context.Context, p Proposal) error {
	s.editing.Lock()
	defer s.editing.Unlock()
	b, _, err := s.basis(ctx, Actor{})
	if err != nil || p.Way(b.People) != WayTime {
		return err
	}
	how := ProposalWaited
	problems, err := b.stands(p)
	switch {
	case CodeOf(err) == CodeEdited || len(problems) > 0: // every page said that it comes into force now
		how = ProposalOvertaken
	case err != nil:
		return err
	}
	err = s.Store.Decide(ctx, Agreement{Name: p.Name, N: p.N, How: how, At: s.Now(), Judged: b.Settings.N})
	s.ForgetSettings()
	switch {
	case err == nil:
		s.Log.Info("setting decided", "name", p.Name, "version", p.N, "how", how)
	case errors.Is(err, ErrMoved) || errors.Is(err, ErrNoRight) || errors.Is(err, ErrAuthorGone) || errors.Is(err, ErrNoRow):
		return nil // somebody was faster, or can agree since
	}
	return err
}
