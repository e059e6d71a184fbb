package main

import (
	"path/filepath"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/store/sqlite"
)

// The command line counts: while an installation is set up a service is what it says;
// from the first supervisor on, what allows more waits until one agrees.
func TestServiceAdd_LoosensWithASecondPerson(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	st, err := sqlite.Open(t.Context(), filepath.Join(data, "console.db"))
	must(err)
	defer st.Close()
	add := func(id, limit string, zero bool) {
		t.Helper()
		must((&serviceAdd{dataFolder: dataFolder{Data: data}, ServiceID: id, Name: "服务", Cap: limit, AllowZero: zero}).Run())
	}
	now := func(id string) correction.Offering {
		t.Helper()
		all, err := st.Offerings(t.Context()) // past what is kept in memory
		must(err)
		for _, o := range all {
			if o.ServiceID == id {
				return o
			}
		}
		t.Fatalf("there is no service %s", id)
		return correction.Offering{}
	}
	add("S1", "99", true)
	add("S1", "100", true)
	if o := now("S1"); !o.AllowZero || o.Cap != 10000 {
		t.Fatalf("the first set-up: %+v", o)
	}
	must(st.AddUser(t.Context(), sqlite.UserSpec{Username: "boss", Name: "Boss", Role: correction.Supervisor, All: true, PasswordHash: "x"}))
	add("S1", "50", false) // tightens
	if o := now("S1"); o.AllowZero || o.Cap != 5000 {
		t.Errorf("what tightens holds at once: %+v", o)
	}
	for _, c := range []struct {
		cap  string
		zero bool
	}{{"50", true}, {"51", false}, {"", false}, {"60", true}} {
		add("S1", c.cap, c.zero)
		if o := now("S1"); o.AllowZero || o.Cap != 5000 {
			t.Errorf("%+v: loosened by one person: %+v", c, o)
		}
	}
	add("S2", "", true) // a service that nobody described does not allow it
	add("S3", "10", false)
	waiting, err := st.Proposals(t.Context())
	must(err)
	if len(waiting) != 2 || waiting[0].Key != "S1" || waiting[1].Key != "S2" || waiting[0].ActorID != 0 {
		t.Fatalf("%+v", waiting)
	}
	boss, err := st.UserByName(t.Context(), "boss")
	must(err)
	s := &correction.Service{Store: st, Now: time.Now, Log: quietLog()}
	for _, p := range waiting {
		problems, err := s.Agree(t.Context(), correction.Actor{UserID: boss.ID, Role: boss.Role, Scope: boss.Scope}, p.Name, p.N, true, "")
		if err != nil || len(problems) > 0 {
			t.Fatal(problems, err)
		}
	}
	if o, p := now("S1"), now("S2"); !o.AllowZero || o.Cap != 6000 || !p.AllowZero || now("S3").Cap != 1000 {
		t.Errorf("%+v %+v", o, p)
	}
	// Disabling the supervisors does not bring back the first set-up.
	must(st.SetDisabled(t.Context(), "boss", true))
	add("S3", "20", false)
	if o := now("S3"); o.Cap != 1000 {
		t.Errorf("%+v", o)
	}
}
