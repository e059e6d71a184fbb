package correction

import (
	"slices"
	"testing"
	"unicode/utf8"
)

func TestCan_EveryRoleAndAction(t *testing.T) {
	t.Parallel()
	actions := []Action{ReadOrders, Correct, ReadCorrections, ReadAllOf, Export}
	for role, want := range map[Role][5]bool{
		Agent:      {true, true, true, false, false},
		Supervisor: {true, true, true, true, true},
		Operator:   {false, false, true, true, false},
		Auditor:    {true, false, true, true, true},
		"":         {},
		"root":     {},
	} {
		for i, action := range actions {
			if got := (Actor{Role: role, Scope: Scope{All: true}}).Can(action); got != want[i] {
				t.Errorf("%q %q: %v", role, action, got)
			}
		}
		if (Actor{Role: role}).Can("") || (Actor{Role: role}).Can("anything") {
			t.Errorf("%q may do what is not named", role)
		}
	}
	if want := []Role{Agent, Supervisor, Operator, Auditor}; !slices.Equal(Roles, want) {
		t.Errorf("roles %q", Roles)
	}
}

func TestScope_AllowsOnlyWhatIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		scope Scope
		id    string
		want  bool
	}{
		{Scope{}, "1", false}, {Scope{}, "", false}, {Scope{All: true}, "1", true}, {Scope{Merchants: []string{"1", "2"}}, "2", true},
		{Scope{Merchants: []string{"1", "2"}}, "3", false}, {Scope{Merchants: []string{"12"}}, "1", false},
	} {
		if got := c.scope.Allows(c.id); got != c.want {
			t.Errorf("%+v allows %q: %v", c.scope, c.id, got)
		}
	}
}

func TestAsksTotal_AboveTheShareAndAtZero(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		permille     int
		base, target Fen
		want         bool
	}{
		{500, 10000, 5000, false}, // the share exactly
		{500, 10000, 4999, true},
		{500, 10000, 5001, false},
		{500, 9999, 5000, false},
		{500, 9999, 4999, true},
		{500, 1, 0, true},
		{1000, 10000, 0, true}, // zero always asks
		{1000, 10000, 1, false},
		{0, 10000, 9999, true},
		{333, 1000, 667, false},
		{333, 1000, 666, true},
		{999, 99_999_999_999, 1, true},
		{500, 9900, 1000, true},
		{500, 50000, 39900, false},
	} {
		if got := (Policy{TypeAbovePermille: c.permille}).AsksTotal(c.base, c.target); got != c.want {
			t.Errorf("%d‰ of %d to %d: %v", c.permille, c.base, c.target, got)
		}
	}
}

func TestDefaultReasons_FitTheirField(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range DefaultReasons {
		if seen[r.Code] || r.Code == "" || r.ZH == "" || r.EN == "" {
			t.Errorf("%+v", r)
		}
		seen[r.Code] = true
		if clean, n := CleanText(r.Outgoing, MaxReason); n.Code != "" || clean != r.Outgoing {
			t.Errorf("%s: %d characters, %+v", r.Code, utf8.RuneCountInString(r.Outgoing), n)
		}
		if got, ok := FindReason(DefaultReasons, r.Code); !ok || got != r {
			t.Errorf("FindReason(%q) = %+v, %v", r.Code, got, ok)
		}
	}
	if _, ok := FindReason(DefaultReasons, ""); ok {
		t.Error("an empty code is a reason")
	}
	if p := DefaultPolicy(); p.TypeAbovePermille != 500 || p.ConfirmWithin.Minutes() != 10 || p.Quiet.Minutes() != 7 {
		t.Errorf("%+v", p)
	}
}
