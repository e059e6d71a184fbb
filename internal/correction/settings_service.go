package correction

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// SettingView is all that the page of a setting shows.
type SettingView struct {
	Basis
	Name     SettingName
	N        int             // version; 0 = the default
	Last     *SettingVersion // nil: never edited
	MayEdit  bool
	GapsOpen []Gap // amounts that nobody can decide about as things are
	Open     *Open // what waits for a second supervisor; nil: nothing
}

// historyShown bounds the versions that a page lists.
const historyShown = 200

// basis reads what settings are judged by, past the settings in memory.
func (s *Service) basis(ctx context.Context, a Actor) (Basis, []SettingVersion, error) {
	b := Basis{Actor: a, Settings: DefaultSettings()}
	versions, err := s.Store.Settings(ctx)
	if err != nil {
		return b, nil, err
	}
	for _, v := range versions {
		if err := b.Settings.set(v.Name, v.Value); err != nil {
			return b, nil, fmt.Errorf("setting %s, version %d: %w", v.Name, v.N, err)
		}
		b.Settings.N[v.Name] = v.N
	}
	if b.People, err = s.Store.People(ctx); err != nil {
		return b, nil, err
	}
	b.Merchants, err = s.Store.Merchants(ctx)
	return b, versions, err
}

// Desk is everything that is set, with who changed it last.
type Desk struct {
	Basis     // its merchants are those in the actor's scope
	Last      map[SettingName]SettingVersion
	Offerings []Offering
	GapsOpen  []Gap
	Waiting   []Open // without what they would have let through
	Services  []Open // those of Waiting that are of services
	Nobody    bool   // no supervisor is for all merchants: nothing can be loosened
}

// gaps are those of the merchants in scope.
func (s Scope) gaps(all []Gap) []Gap {
	return slices.DeleteFunc(all, func(g Gap) bool { return !s.Allows(g.SubMchID) })
}

// SettingsDesk reads all settings for the page that lists them.
func (s *Service) SettingsDesk(ctx context.Context, a Actor) (Desk, error) {
	d := Desk{Last: map[SettingName]SettingVersion{}}
	if !a.Can(ReadSettings) {
		return d, fail(Forbidden, CodeForbidden, nil)
	}
	b, versions, err := s.basis(ctx, a)
	if err != nil {
		return d, err
	}
	d.Basis, d.GapsOpen = b, a.Scope.gaps(b.Gaps(b.Settings.Tiers, b.Settings.Limits))
	d.Merchants = slices.DeleteFunc(slices.Clone(b.Merchants), func(m Merchant) bool { return !a.Scope.Allows(m.SubMchID) })
	for _, v := range versions {
		d.Last[v.Name] = v
	}
	d.Nobody = !slices.ContainsFunc(b.People, Person.WholeSupervisor)
	waiting, err := s.Store.Proposals(ctx)
	if err != nil {
		return d, err
	}
	for _, p := range waiting {
		o := b.openFor(p)
		d.Waiting = append(d.Waiting, o)
		if p.Name == CatalogServices {
			d.Services = append(d.Services, o)
		}
	}
	d.Offerings, err = s.Store.Offerings(ctx)
	return d, err
}

// SettingView reads one setting for its page.
func (s *Service) SettingView(ctx context.Context, a Actor, name SettingName) (SettingView, error) {
	v := SettingView{Name: name, MayEdit: a.MayEditSettings()}
	if !a.Can(ReadSettings) {
		return v, fail(Forbidden, CodeForbidden, nil)
	}
	b, versions, err := s.basis(ctx, a)
	if err != nil {
		return v, err
	}
	v.Basis, v.N = b, b.Settings.N[name]
	if i := slices.IndexFunc(versions, func(x SettingVersion) bool { return x.Name == name }); i >= 0 {
		v.Last = &versions[i]
	}
	v.GapsOpen = a.Scope.gaps(b.Gaps(b.Settings.Tiers, b.Settings.Limits))
	open, err := s.open(ctx, b, string(name))
	if err == nil && len(open) > 0 {
		v.Open = &open[0]
	}
	return v, err
}

// EditSetting makes what was typed the version after n, or keeps it until a second
// supervisor agrees, if it loosens. Problems are told all at once and nothing is stored;
// CodeEdited when somebody edited the setting since version n, CodeWaiting when somebody
// else's edit waits.
func (s *Service) EditSetting(ctx context.Context, a Actor, name SettingName, n int, t Typed, ip string) (problems []Notice, saved Saved, err error) {
	if err := mayEditSettings(a); err != nil {
		return nil, NotSaved, err
	}
	// One at a time: tiers and limits are judged by each other.
	s.editing.Lock()
	defer s.editing.Unlock()
	b, _, err := s.basis(ctx, a)
	if err != nil {
		return nil, NotSaved, err
	}
	return s.put(ctx, b, name, n, t, ip)
}

func mayEditSettings(a Actor) error {
	switch {
	case !a.Can(EditSettings):
		return fail(Forbidden, CodeForbidden, nil)
	case !a.Scope.All:
		return fail(Forbidden, CodeWholeScope, nil)
	}
	return nil
}

func (s *Service) put(ctx context.Context, b Basis, name SettingName, n int, t Typed, ip string) ([]Notice, Saved, error) {
	if !slices.Contains(SettingNames, name) {
		return nil, NotSaved, fail(NotFound, CodeNotFound, errSetting)
	}
	if b.Settings.N[name] != n {
		return nil, NotSaved, fail(Conflict, CodeEdited, nil)
	}
	value, problems := ParseSetting(name, t, b)
	if len(problems) > 0 {
		return problems, NotSaved, nil
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, NotSaved, fmt.Errorf("write setting %s: %w", name, err)
	}
	was, err := json.Marshal(b.Settings.Value(name))
	if err != nil {
		return nil, NotSaved, fmt.Errorf("write setting %s: %w", name, err)
	}
	if bytes.Equal(was, raw) {
		return nil, NotSaved, nil
	}
	after, err := b.Settings.With(name, raw)
	if err != nil {
		return nil, NotSaved, fmt.Errorf("read setting %s: %w", name, err)
	}
	if Looser(b.Settings, after, b.People) {
		p := Proposal{Name: string(name), Base: n, At: s.Now(), ActorID: b.Actor.UserID, Before: was, After: raw}
		return nil, SavedWaits, s.propose(ctx, p, ip)
	}
	n, err = s.Store.EditSetting(context.WithoutCancel(ctx), SettingEdit{Name: name, Base: n, Value: raw, ActorID: b.Actor.UserID, IP: ip, At: s.Now()})
	s.ForgetSettings()
	if err != nil {
		return nil, NotSaved, agreementError(err)
	}
	s.Log.Info("setting", "name", name, "version", n, "user", b.Actor.UserID)
	return nil, SavedNow, nil
}

// SettingHistory lists the versions of a setting, newest first, down to the default as
// version 0.
func (s *Service) SettingHistory(ctx context.Context, a Actor, name SettingName) ([]SettingVersion, error) {
	if !a.Can(ReadSettings) {
		return nil, fail(Forbidden, CodeForbidden, nil)
	}
	list, err := s.Store.SettingHistory(ctx, name, historyShown)
	if err != nil || len(list) == historyShown {
		return list, err
	}
	raw, err := json.Marshal(DefaultSettings().Value(name))
	return append(list, SettingVersion{Name: name, Value: raw}), err
}

// RestoreSetting makes the value of version old a new version after n, judged by what
// there is now. A reason that came later is kept, retired.
func (s *Service) RestoreSetting(ctx context.Context, a Actor, name SettingName, n, old int, ip string) (problems []Notice, saved Saved, err error) {
	if err := mayEditSettings(a); err != nil {
		return nil, NotSaved, err
	}
	s.editing.Lock()
	defer s.editing.Unlock()
	b, _, err := s.basis(ctx, a)
	if err != nil {
		return nil, NotSaved, err
	}
	list, err := s.SettingHistory(ctx, a, name)
	if err != nil {
		return nil, NotSaved, err
	}
	at := slices.IndexFunc(list, func(v SettingVersion) bool { return v.N == old })
	if at < 0 {
		return nil, NotSaved, fail(NotFound, CodeNotFound, nil)
	}
	back, err := b.Settings.With(name, list[at].Value)
	if err != nil {
		return nil, NotSaved, err
	}
	if name == SettingReasons {
		for _, r := range b.Settings.Reasons {
			if _, there := FindReason(back.Reasons, r.Code); !there {
				r.Retired = true
				back.Reasons = append(back.Reasons, r)
			}
		}
	}
	return s.put(ctx, b, name, n, back.Typed(name), ip)
}

// CatalogEdit is one change of a merchant or a service. Before is null when it was new.
type CatalogEdit struct {
	AuditEntry
	ActorName  string // empty: the command line
	AgreedName string // who agreed to what loosens; empty: nobody had to
	Before     json.RawMessage
	After      json.RawMessage
}

// Names of what operators edit; the audit entries are named "merchant.put" and
// "service.put".
const (
	CatalogMerchants = "merchants"
	CatalogServices  = "services"
)

// CatalogHistory lists the changes of merchants or services, newest first.
func (s *Service) CatalogHistory(ctx context.Context, a Actor, name string) ([]CatalogEdit, error) {
	if !a.Can(ReadSettings) {
		return nil, fail(Forbidden, CodeForbidden, nil)
	}
	list, err := s.Store.CatalogHistory(ctx, name, historyShown)
	if name == CatalogMerchants && !a.Scope.All {
		list = slices.DeleteFunc(list, func(e CatalogEdit) bool {
			var m Merchant
			return json.Unmarshal(e.After, &m) != nil || !a.Scope.Allows(m.SubMchID)
		})
	}
	return list, err
}

// DecidedSettings lists the proposals of a setting, or of services, that do not wait any
// more, newest first.
func (s *Service) DecidedSettings(ctx context.Context, a Actor, name string) ([]Proposal, error) {
	if !a.Can(ReadSettings) {
		return nil, fail(Forbidden, CodeForbidden, nil)
	}
	return s.Store.Decided(ctx, name, historyShown)
}

// PutMerchant adds a merchant (before is nil) or changes the one that was shown as
// before. CodeEdited when it is not that any more.
func (s *Service) PutMerchant(ctx context.Context, a Actor, before *Merchant, m Merchant, ip string) error {
	switch {
	case !a.Can(EditCatalog):
		return fail(Forbidden, CodeForbidden, nil)
	case !a.MayEditMerchant(m, before == nil):
		return fail(Forbidden, CodeWholeScope, nil)
	}
	return agreementError(s.Store.EditMerchant(context.WithoutCancel(ctx), before, m, a.UserID, ip, s.Now()))
}

// PutOffering is PutMerchant for services. One that becomes looser waits until a
// supervisor agrees.
func (s *Service) PutOffering(ctx context.Context, a Actor, before *Offering, o Offering, ip string) (Saved, error) {
	switch {
	case !a.Can(EditCatalog):
		return NotSaved, fail(Forbidden, CodeForbidden, nil)
	case !a.MayEditServices():
		return NotSaved, fail(Forbidden, CodeWholeScope, nil)
	}
	err := s.Store.EditOffering(context.WithoutCancel(ctx), before, o, a.UserID, ip, s.Now())
	if !errors.Is(err, ErrLoosens) {
		s.ForgetSettings()
		return SavedNow, agreementError(err)
	}
	p, err := OfferingProposal(before, o)
	if err != nil {
		return NotSaved, err
	}
	p.At, p.ActorID = s.Now(), a.UserID
	return SavedWaits, s.propose(ctx, p, ip)
}

// OfferingProposal is the proposal to make a service what o says; before is nil when
// there is none.
func OfferingProposal(before *Offering, o Offering) (Proposal, error) {
	was, err := json.Marshal(before)
	if err != nil {
		return Proposal{}, fmt.Errorf("write service %s: %w", o.ServiceID, err)
	}
	is, err := json.Marshal(o)
	if err != nil {
		return Proposal{}, fmt.Errorf("write service %s: %w", o.ServiceID, err)
	}
	return Proposal{Name: CatalogServices, Key: o.ServiceID, Before: was, After: is}, nil
}
