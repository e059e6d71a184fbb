package handlers_test

import (
	"net/http"
	"strings"
	"testing"

	"correction-console/internal/apptest"
)

// A supervisor sees who acted from where and what WeChat answered; an agent does not,
// and nobody sees anything that signs or opens.
func TestCorrection_ShowsASupervisorTheWholeExchange(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	path := prepare(t, lin, "20")
	token := field(t, lin.Get(path).Body, "token")
	confirm(t, lin, path, "20")
	for login, sees := range map[string]bool{"zhou": true, "shen": true, "lin": false} {
		page := a.As(login).Get(path)
		if page.Status != http.StatusOK {
			t.Fatalf("%s: %d", login, page.Status)
		}
		for _, part := range []string{`id="versions-h"`, `id="acted-h"`, `id="exchange-h"`, "降幅 ", "127.0.0.1", "签名时间", "Go-http-client"} {
			if got := strings.Contains(page.Body, part); got != sees {
				t.Errorf("%s sees %s: %v, want %v", login, part, got, sees)
			}
		}
		for _, secret := range []string{"Authorization", "WECHATPAY2", "BEGIN ", apptest.Password, token, "signature=", "nonce_str"} {
			if secret != "" && strings.Contains(page.Body, secret) {
				t.Errorf("%s sees %q", login, secret)
			}
		}
		if !strings.Contains(page.Body, path+"/proof") {
			t.Errorf("%s: no proof", login)
		}
	}
}
