package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"correction-console/internal/apptest"
	"correction-console/internal/browser"
)

// Over plain http under a name beyond this machine, which was asked for, a real browser
// signs in and corrects an order, with and without script; and what another site posts is
// refused there as everywhere.
func TestExposed_WholeFlowUnderAPlainHTTPName(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]browser.View{
		"script":         view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }),
		"without script": view(browser.Desktop, func(v *browser.View) { v.Language, v.NoScript = "zh-CN", true }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := apptest.Start(t, apptest.Options{PublicName: "kf.lan"})
			b := browser.Start(t)
			tab := b.Open(v)
			if !strings.HasPrefix(a.URL, "http://kf.lan:") {
				t.Fatal(a.URL)
			}
			signIn(tab, a, "lin")
			if strings.Contains(tab.URL(), "/login") {
				t.Fatalf("nobody gets in: %s", tab.Text("main"))
			}
			if browser.Value[bool](tab, "isSecureContext") {
				t.Fatal("the browser trusts the address: this proves nothing")
			}
			tab.Fill("main input[name=out_order_no]", bankNo)
			tab.PressAndFollow("Enter")
			tab.Follow(`a[href="` + bankPath + `/correction"]`)
			tab.Select("[name=reason_code]", "device_fault")
			tab.Fill(`[name="device.start_device_id"]`, "XQ-0718-02")
			tab.Fill(`[name="device.end_device_id"]`, "XQ-0718-09")
			tab.Fill("[name=total_amount]", "90")
			if v.NoScript {
				tab.Follow("button[name=do][value=recompute]:not([hidden])")
			}
			tab.WaitText("[data-part=summary]", "¥90.00") // with script: the fragment that it posts for
			tab.Follow("form[data-editor] button.button--primary")
			if !strings.Contains(tab.URL(), "/corrections/") {
				t.Fatalf("the form led to %s\n%s", tab.URL(), tab.Text("main"))
			}
			tab.Follow("form.confirm__form button.button--primary")
			if !tab.Has(".state--applied") || a.Sim.Posts(bankNo) != 1 {
				t.Errorf("not applied:\n%s", tab.Text("main"))
			}
			if problems := tab.Problems(); len(problems) > 0 {
				t.Error(problems)
			}

			// Pages of others: of another site, and of the same host on another port, to which
			// the browser sends the cookie along. It says no Sec-Fetch-Site for any of them.
			for _, policy := range []string{"no-referrer", "same-origin", "unsafe-url"} {
				evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "text/html; charset=utf-8")
					w.Header().Set("Referrer-Policy", policy)
					fmt.Fprintf(w, `<!doctype html><title>x</title><form method="post" action="%s/logout"><button id="go">x</button></form>`, a.URL)
				}))
				t.Cleanup(evil.Close)
				for _, host := range []string{"evil.lan", "kf.lan"} {
					other := b.Open(browser.Desktop)
					other.Goto(strings.Replace(evil.URL, "127.0.0.1", host, 1) + "/")
					if status := other.Follow("#go"); status != http.StatusForbidden {
						t.Errorf("%s under %s signs the person out: %d", host, policy, status)
					}
					other.Problems()
				}
			}
			if tab.Goto(a.URL + "/account"); strings.Contains(tab.URL(), "/login") {
				t.Error("the person is signed out")
			}
			c := a.Client()
			for _, origin := range []string{"", "null", "http://evil.lan", "https://kf.lan", "http://kf.lan", a.URL + ".evil.lan"} {
				h := http.Header{}
				if origin != "" {
					h.Set("Origin", origin)
				}
				if got := c.Do(http.MethodPost, "/login", url.Values{"username": {"lin"}, "password": {apptest.Password}}, h); got.Status != http.StatusForbidden {
					t.Errorf("a sign-in from %q: %d", origin, got.Status)
				}
			}
			if got := c.Do(http.MethodPost, "/login", url.Values{"username": {"lin"}, "password": {apptest.Password}}, http.Header{"Origin": {a.URL}}); got.Status != http.StatusSeeOther {
				t.Errorf("a sign-in from the console itself: %d", got.Status)
			}
		})
	}
}
