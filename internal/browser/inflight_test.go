package browser_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"correction-console/internal/browser"
)

// arrived waits until the site has got an act of the editor.
func (s *editorSite) arrived(tab *browser.Tab, act string, times int) {
	for {
		n := 0
		_, acts, _ := s.seen()
		for _, a := range acts {
			if a == act {
				n++
			}
		}
		if n >= times {
			return
		}
		tab.Eval("0")
	}
}

// sent are the forms that went on to the review.
func (s *editorSite) sent() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reviewed)
}

func amounts(v url.Values) string {
	var out []string
	for _, n := range rowNumbers(v) {
		out = append(out, v.Get("lines."+string(rune('0'+n))+".amount"))
	}
	return strings.Join(out, "+")
}

const removeSecond = `button[value="remove-lines-1"]`

// A submit waits for what the page is still doing: what is posted is the form as it stands
// after every button that was pressed before, with everything that was typed.
func TestForm_GoesOnAfterWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hold  []string
		steps func(s *editorSite, tab *browser.Tab)
		want  string // amounts of the form that is posted
		acts  []string
	}{
		"a line is removed": {
			hold: []string{"act:remove-lines-1"},
			steps: func(s *editorSite, tab *browser.Tab) {
				tab.Fill(amount0, "4.00")
				tab.Click(removeSecond)
				tab.Click("#main")
			},
			want: "4.00", acts: []string{"remove-lines-1", ""},
		},
		"a line is removed, by Ctrl+Enter": {
			hold: []string{"act:remove-lines-1"},
			steps: func(s *editorSite, tab *browser.Tab) {
				tab.Click(removeSecond)
				tab.Fill(amount0, "4.00")
				tab.Press("Ctrl+Enter")
			},
			want: "4.00", acts: []string{"remove-lines-1", ""},
		},
		"a line is changed while one is added, and another while the form waits": {
			hold: []string{"act:add-line"},
			steps: func(s *editorSite, tab *browser.Tab) {
				tab.Click(addLine)
				tab.Fill(amount0, "5.00")
				tab.Click("#main")
				tab.Fill(`[name="lines.1.amount"]`, "6.00")
			},
			want: "5.00+6.00+", acts: []string{"add-line", ""},
		},
		"two are under way": {
			hold: []string{"act:add-line", "act:remove-lines-1"},
			steps: func(s *editorSite, tab *browser.Tab) {
				tab.Click(addLine)
				tab.Click(removeSecond)
				tab.Click("#main")
				tab.Fill(amount0, "7.00")
			},
			want: "7.00+", acts: []string{"add-line", "remove-lines-1", ""},
		},
		"two presses of one button, and one more": {
			hold: []string{"act:remove-lines-1"},
			steps: func(s *editorSite, tab *browser.Tab) {
				tab.Click(removeSecond)
				tab.Click(removeSecond)
				tab.Click(addLine)
				tab.Click("#main")
			},
			want: "10.00+", acts: []string{"remove-lines-1", "add-line", ""},
		},
		"Enter, then the main button twice": {
			hold: []string{"act:recompute"},
			steps: func(s *editorSite, tab *browser.Tab) {
				tab.Fill(amount0, "8.00")
				tab.Press("Enter")
				tab.Click("#main")
				tab.Click("#main")
			},
			want: "8.00+20.00", acts: []string{"recompute", ""},
		},
		"the summary is still asked for": {
			hold: []string{"9.00"},
			steps: func(s *editorSite, tab *browser.Tab) {
				tab.Fill(amount0, "9.00")
				for {
					if p, _, _ := s.seen(); len(p) > 0 && p[len(p)-1].Get("lines.0.amount") == "9.00" {
						break
					}
					tab.Eval("0")
				}
				tab.Click("#main")
				tab.Fill(amount0, "9.50")
			},
			want: "9.50+20.00", acts: []string{""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, tab := openEditor(t)
			var release []func()
			for _, key := range c.hold {
				release = append(release, s.delay(key))
				defer release[len(release)-1]()
			}
			c.steps(s, tab)
			tab.Wait(`document.querySelector("[data-waits][role=status]")`)
			if got := len(s.sent()); got != 0 {
				t.Fatalf("went on with %v", s.sent())
			}
			for _, r := range release {
				r()
			}
			tab.Wait("location.pathname === '/review'")
			_, acts, _ := s.seen()
			if got := s.sent(); len(got) != 1 || amounts(got[0]) != c.want || !slices.Equal(acts, c.acts) {
				t.Errorf("posted %v by %q, want %s by %q", got, acts, c.want, c.acts)
			}
		})
	}
}

// Without an answer the form does not go on: neither as it was, nor with half of what was
// pressed. It says so, keeps what was typed, and goes on when asked again.
func TestForm_DoesNotGoOnWithoutTheAnswer(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(s *editorSite, tab *browser.Tab){
		"the connection breaks": nil,
		"Esc":                   func(_ *editorSite, tab *browser.Tab) { tab.Eval("window.stop()") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, tab := openEditor(t)
			release := s.delay("act:remove-lines-1")
			defer release()
			if lose == nil {
				s.set(func() { s.down = true })
			}
			tab.Eval(`{ const b = document.querySelector('button[value="remove-lines-1"]'); b.click(); document.querySelector("#main").click(); }`)
			if lose != nil {
				s.arrived(tab, "remove-lines-1", 1)
				lose(s, tab)
			}
			tab.Wait(`document.querySelector("[data-unreachable][role=alert]")`)
			if got := tab.Text("[data-unreachable]"); !strings.Contains(got, "did not go on") {
				t.Errorf("it says %q", got)
			}
			if tab.Has("[data-waits]") || tab.Has(`form[aria-busy]`) || tab.Has(`#main[aria-disabled]`) || len(s.sent()) != 0 || !inPlace(tab) {
				t.Errorf("it still waits, or went on: %v", s.sent())
			}
			tab.Problems()
			s.set(func() { s.down = false })
			release()
			tab.Fill(amount0, "3.00")
			tab.Click(removeSecond)
			tab.Wait(`!document.querySelector('[name="lines.1.amount"]')`)
			tab.Click("#main")
			tab.Wait("location.pathname === '/review'")
			if got := s.sent(); len(got) != 1 || amounts(got[0]) != "3.00" {
				t.Errorf("posted %v", got)
			}
		})
	}
}

// Esc while the form waits for its summary: the person changed their mind, and it stays.
// Asked again it goes on.
func TestForm_StaysWhenThePersonStopsIt(t *testing.T) {
	t.Parallel()
	s, tab := openEditor(t)
	release := s.delay("9.00")
	defer release()
	tab.Fill(amount0, "9.00")
	for {
		if p, _, _ := s.seen(); len(p) > 0 && p[len(p)-1].Get("lines.0.amount") == "9.00" {
			break
		}
		tab.Eval("0")
	}
	tab.Click("#main")
	tab.Wait(`document.querySelector("[data-waits][role=status]")`)
	tab.Eval("window.stop()")
	tab.Wait(`!document.querySelector("form[aria-busy]")`)
	if tab.Has("[data-waits]") || tab.Has(`#main[aria-disabled]`) || len(s.sent()) != 0 || !inPlace(tab) {
		t.Errorf("it still waits, or went on: %v", s.sent())
	}
	tab.Problems()
	release()
	tab.Click("#main")
	tab.Wait("location.pathname === '/review'")
	if got := s.sent(); len(got) != 1 || amounts(got[0]) != "9.00+20.00" {
		t.Errorf("posted %v", got)
	}
}

// A page of the server's own ends what was pressed before: the session is over.
func TestForm_WaitingEndsWithAPageOfTheServersOwn(t *testing.T) {
	t.Parallel()
	s, tab := openEditor(t)
	release := s.delay("act:add-line")
	defer release()
	s.set(func() { s.signed = false })
	tab.Click(addLine)
	tab.Click("#main")
	release()
	tab.Wait(`document.querySelector("#kept")`)
	if got := tab.Text("#kept"); !strings.Contains(got, "do=add-line") || len(s.sent()) != 0 {
		t.Errorf("%q, posted %v", got, s.sent())
	}
}

// Giving up waits as well: an answer that comes later would bring the draft back.
func TestForm_DiscardWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	s, tab := openEditor(t)
	release := s.delay("act:add-line")
	defer release()
	tab.Click(addLine)
	tab.Click(`button[value="discard"]`)
	tab.Wait(`document.querySelector("[data-waits]")`)
	release()
	tab.Wait("location.pathname === '/corrections'")
	if _, acts, _ := s.seen(); !slices.Equal(acts, []string{"add-line", "discard"}) {
		t.Errorf("acts %q", acts)
	}
}

func TestForm_GoesOnOnceForManyClicks(t *testing.T) {
	t.Parallel()
	s, tab := openEditor(t)
	tab.Eval(`{ const b = document.querySelector("#main"); b.click(); b.click(); b.form.requestSubmit(b); }`)
	tab.Wait("location.pathname === '/review'")
	if got := s.sent(); len(got) != 1 {
		t.Errorf("%d forms went on", len(got))
	}
}
