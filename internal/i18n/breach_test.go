package i18n

import (
	"strings"
	"testing"

	"correction-console/internal/correction"
)

// A breach has words in both languages; those of the service's rules are the form's.
func TestBreaches_HaveWords(t *testing.T) {
	t.Parallel()
	for _, code := range correction.Breaches {
		b := correction.Breach{Code: code, Amount: 4999}
		bilingual(t, code, func(l Lang) string { return BreachText(l, b) })
		for _, state := range []correction.State{correction.Void, correction.NotSent} {
			c := correction.Correction{State: state, Events: []correction.Event{{N: 1, State: correction.Prepared}, {N: 2, State: state, Detail: correction.Detail{Cause: code, Breaches: []correction.Breach{b}}}}}
			bilingual(t, code+" outcome", func(l Lang) string {
				w := Outcome(l, c, "")
				return w.Title + "|" + w.Money + "|" + w.Say + "|" + strings.Join(w.Next, "|")
			})
			for _, l := range []Lang{ZH, EN} {
				w, notes := Outcome(l, c, ""), strings.Join(EventNotes(l, c, c.Last()), " ")
				if why := BreachTexts(l, []correction.Breach{b}); !strings.Contains(w.Money, why) || !strings.Contains(notes, why) || len(w.Next) != 1 {
					t.Errorf("%s in %s: %q, %q, %q", code, l, w.Money, notes, w.Next)
				}
			}
		}
	}
	for _, code := range []string{correction.BadZero, correction.BadOverCap} {
		n := correction.Notice{Code: code, Amount: 4999}
		if got, want := BreachText(ZH, correction.Breach{Code: code, Amount: 4999}), strings.TrimSuffix(ProblemText(ZH, n), "。"); got != want {
			t.Errorf("%s: %q, at the form %q", code, got, want)
		}
	}
}
