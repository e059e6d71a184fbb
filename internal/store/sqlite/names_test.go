package sqlite

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
)

// rawUser adds a user as older versions did, without the normal form of the name.
func rawUser(t *testing.T, db interface {
	Exec(string, ...any) (sql.Result, error)
}, id int, username string, disabled bool) {
	t.Helper()
	_, err := db.Exec(`INSERT INTO user (id, username, name, role, all_merchants, password, disabled, created_ms) VALUES (?, ?, ?, 'agent', 1, 'phc', ?, 0)`,
		id, username, username, disabled)
	must(t, err)
}

// A database with names that are one in their normal form starts, everybody in it is found
// by their name, and nobody can be added with a name that is somebody's.
func TestMigrate_GivesEveryNameItsNormalForm(t *testing.T) {
	t.Parallel()
	path, db := firstVersion(t)
	for id, name := range []string{"lin", "LI", "strasse", "straße", "gasse", "gaße", "σοφός", "not a name", "wu ", "li", "张伟"} {
		rawUser(t, db, id+1, name, name == "gasse" || name == "LI")
	}
	must(t, db.Close())
	s, err := Open(t.Context(), path)
	must(t, err)
	defer s.Close()
	for typed, want := range map[string]int64{
		"lin": 1, " ＬＩＮ ": 1, "Lin": 1,
		"li": 10, "LI": 2, // the older one is shut out, so the other has the form; its own name is still its own
		"Li":      10,
		"strasse": 3, "STRASSE": 3, "straße": 4, "STRAßE": 4,
		"gasse": 5, "GASSE": 5, "gaße": 6, "GAßE": 6, // in case alone it was one name before, too
		"σοφός": 7, "ΣΟΦΌΣ": 7, "σοφόσ": 7,
		"not a name": 8, "wu": 9, "WU": 9, "张伟": 11,
	} {
		u, err := s.UserByName(t.Context(), typed)
		if err != nil || u.ID != want {
			t.Errorf("%q is %d (%s), %v; want %d", typed, u.ID, u.Username, err, want)
		}
	}
	users, err := s.Users(t.Context())
	must(t, err)
	equal(t, "people", len(users), 11)
	for _, name := range []string{"lin", "LIN", "ｌｉｎ", " lin ", "straße", "STRASSE", "gasse", "GAßE", "Li", "wu", "张伟", "\u200b张伟"} {
		if err := s.AddUser(t.Context(), UserSpec{Username: name, Name: name, Role: correction.Agent}); !errors.Is(err, ErrExists) {
			t.Errorf("adding %q: %v", name, err)
		}
	}
	for _, name := range []string{"", " ", "a b", "a\x00b"} {
		if err := s.AddUser(t.Context(), UserSpec{Username: name, Name: name, Role: correction.Agent}); !errors.Is(err, auth.ErrUsername) {
			t.Errorf("adding %q: %v", name, err)
		}
	}
}

// The schema decides, not a look before: the same name in several writings at once is one
// person.
func TestAddUser_OneOfSeveralWritings(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	names := []string{"zhang", "ZHANG", "ｚｈａｎｇ", "Zhang ", "\u200bzhang", "zhAng"}
	done := make(chan error)
	for _, name := range names {
		go func() {
			done <- s.AddUser(t.Context(), UserSpec{Username: name, Name: name, Role: correction.Agent})
		}()
	}
	added := 0
	for range names {
		switch err := <-done; {
		case err == nil:
			added++
		case !errors.Is(err, ErrExists):
			t.Error(err)
		}
	}
	equal(t, "added", added, 1)
	for _, name := range names {
		u, err := s.UserByName(t.Context(), name)
		if err != nil || u.ID != 1 {
			t.Errorf("%q: %d, %v", name, u.ID, err)
		}
	}
}

func TestRecentSignIns_EachPersonAndAddressOnce(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin, wu := person(t, s, "lin", correction.Agent), person(t, s, "wu", correction.Agent)
	add := func(name string, user int64, ip string, at time.Time) {
		_, _, err := s.CreateSession(t.Context(), auth.Session{IDHash: [32]byte([]byte(name + "................................")), UserID: user, CreatedAt: at, SeenAt: at, ExpiresAt: at.Add(time.Hour), IP: ip}, 10, started)
		must(t, err)
	}
	add("1", lin.ID, "192.0.2.1", t0)
	add("2", lin.ID, "192.0.2.2", t0.Add(time.Minute))
	add("3", wu.ID, "192.0.2.2", t0.Add(2*time.Minute))
	add("4", lin.ID, "192.0.2.2", t0.Add(3*time.Minute))
	got, err := s.RecentSignIns(t.Context(), 3)
	must(t, err)
	want := []auth.SignInPlace{{UserID: lin.ID, IP: "192.0.2.2", At: t0.Add(3 * time.Minute)}, {UserID: wu.ID, IP: "192.0.2.2", At: t0.Add(2 * time.Minute)}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %v, want %v", got, want)
	}
}
