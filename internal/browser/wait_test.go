package browser_test

import (
	"fmt"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/browser"
)

// The button to try again, of a page that says in how many seconds that helps, rests until
// then; without scripts it is a plain link.
func TestError_TryingAgainRestsUntilItHelps(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{Lookups: 2})
	const button = `document.querySelector("main a.button--primary, main a[data-wait]")`
	for _, off := range []bool{true, false} {
		tab := browser.Start(t).Open(view(browser.Desktop, func(v *browser.View) { v.Language, v.NoScript = "zh-CN", off }))
		signIn(tab, a, map[bool]string{true: "lin", false: "wu"}[off])
		for i := range 3 {
			tab.Goto(a.URL + fmt.Sprintf("/orders/%s/NONE-%d", bankMch, i))
		}
		if off {
			if href := browser.Value[string](tab, button+`.getAttribute("href")`); href != "/orders/"+bankMch+"/NONE-2" {
				t.Errorf("without scripts it leads to %q", href)
			}
			continue
		}
		if got := browser.Value[bool](tab, button+`.matches(":not([href])[aria-disabled=true]") && /^\d+ 秒后可以再试$/.test(`+button+`.textContent)`); !got {
			t.Error("the button does not rest")
		}
		a.Clock.Advance(58 * time.Second)
		tab.Goto(a.URL + "/orders/" + bankMch + "/NONE-2")
		tab.Wait(button + `.matches("[href]:not([aria-disabled])") && ` + button + `.textContent.includes("再试一次")`)
		a.Clock.Advance(2 * time.Second)
		tab.Follow("main a[data-wait]")
		if got := tab.Text("main h1, main h2"); got == "" || browser.Value[bool](tab, `!!document.querySelector("[data-wait]")`) {
			t.Error("it was live too early")
		}
	}
}
