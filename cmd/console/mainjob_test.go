package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"correction-console/internal/wechat/simulator"
)

// The whole job on the real program, set up with its own commands, by the contract
// alone: addresses, form fields, commands and settings. In both modes of verifying
// WeChat's answers.
func TestServe_MainJobByTheContract(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"public key", "platform certificate"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			mainJob(t, mode == "platform certificate")
		})
	}
}

func mainJob(t *testing.T, certificates bool) {
	sim, err := simulator.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	for _, o := range simulator.Samples(time.Now()) {
		sim.Put(o)
	}
	dir := t.TempDir()
	if err := sim.WriteKeys(dir); err != nil {
		t.Fatal(err)
	}
	cfg := sim.Config()
	env := []string{
		"CONSOLE_DATA=" + filepath.Join(dir, "data"), "CONSOLE_LISTEN=127.0.0.1:0", "CONSOLE_WECHAT_API_HOST=" + cfg.Host,
		"CONSOLE_WECHAT_MCHID=" + cfg.MchID, "CONSOLE_WECHAT_CERT_SERIAL=" + cfg.CertSerial,
		"CONSOLE_WECHAT_PRIVATE_KEY_FILE=" + filepath.Join(dir, simulator.PrivateKeyFile),
	}
	if certificates {
		env = append(env, "CONSOLE_WECHAT_PLATFORM_CERT_FILES="+filepath.Join(dir, simulator.PlatformCertFile))
	} else {
		env = append(env, "CONSOLE_WECHAT_PUBLIC_KEY_ID="+cfg.PublicKeyID, "CONSOLE_WECHAT_PUBLIC_KEY_FILE="+filepath.Join(dir, simulator.PublicKeyFile))
	}
	address, stop := serve(t, env)
	const password = "a quiet green bicycle"
	for _, args := range [][]string{
		{"merchant", "add", "1900021408", "溪桥充电宝"},
		{"service", "add", "2002100000000498310275514862033", "充电宝租借", "--industry", "power_bank", "--cap", "99"},
		{"user", "add", "lin", "--role", "agent", "--password-stdin"},
		{"user", "add", "zhou", "--role", "supervisor", "--password-stdin"},
	} {
		if code, _, msg := execute(t, env, password+"\n", args...); code != 0 {
			t.Fatalf("%v: %d %s", args, code, msg)
		}
	}
	lin, zhou := person{t, address, jar(t)}, person{t, address, jar(t)}
	lin.post("/login", 303, url.Values{"username": {"lin"}, "password": {password}})
	zhou.post("/login", 303, url.Values{"username": {"zhou"}, "password": {password}})

	const order = "/orders/1900021408/PB_20261123_0099"
	if to, _ := lin.get("/orders?sub_mchid=1900021408&service_id=2002100000000498310275514862033&out_order_no=PB_20261123_0099", 303); to != order {
		t.Fatalf("look-up led to %s", to)
	}
	_, form := lin.get(order+"/correction", 200)
	values := url.Values{
		"post_payments.0.name": {"收费标准"}, "post_payments.0.description": {"2元/小时，封顶99元"},
		"post_payments.1.name": {"使用时长"}, "post_payments.1.description": {"5小时"},
		"device.start_device_id": {"XQ-1"}, "device.end_device_id": {"XQ-2"}, "device.materiel_no": {"example_materiel_no"},
		"total_amount": {"¥10.00"}, "reason_code": {"device_fault"}, "reason": {"用户投诉"}, "ticket": {"GD-1"}, "note": {"柜机没有识别归还"},
		"base": {input(t, form, "base")},
	}
	if _, fragment := lin.post("/corrections/preview", 200, values); !strings.Contains(fragment, "¥10.00") || strings.Contains(fragment, "<html") {
		t.Fatalf("preview:\n%s", fragment)
	}
	correction, _ := lin.post(order+"/correction", 303, values)
	_, page := lin.get(correction, 200)
	if to, _ := lin.post(correction+"/confirmation", 303, url.Values{"token": {input(t, page, "token")}, "typed_total": {"10"}}); to != correction {
		t.Fatalf("confirmation led to %s", to)
	}
	for _, p := range []person{lin, zhou} {
		if _, page := p.get(correction, 200); !strings.Contains(page, "已生效") || !strings.Contains(page, "¥10.00") {
			t.Fatalf("the record:\n%s", page)
		}
	}
	if _, log := zhou.get("/corrections?out_order_no=PB_20261123_0099&state=applied", 200); !strings.Contains(log, `href="`+correction+`"`) {
		t.Error("the log lacks it")
	}
	if _, csv := zhou.get("/corrections.csv", 200); !strings.Contains(csv, "99.00,10.00,89.00") {
		t.Errorf("export:\n%s", csv)
	}
	now, _ := sim.Order("1900021408", "PB_20261123_0099")
	if now.Total != 1000 || sim.Posts("PB_20261123_0099") != 1 {
		t.Errorf("WeChat has %s after %d POSTs", now.Total, sim.Posts("PB_20261123_0099"))
	}
	// Disabled, a person is out at once.
	if code, _, msg := execute(t, env, "", "user", "disable", "lin"); code != 0 {
		t.Fatal(msg)
	}
	if to, _ := lin.get("/", 303); !strings.HasPrefix(to, "/login") {
		t.Errorf("a disabled person is still in: %s", to)
	}
	if code := stop(); code != 0 {
		t.Errorf("stopped with %d", code)
	}
}

var inputs = regexp.MustCompile(`name="([a-z]+)" value="([^"]*)"`)

func input(t *testing.T, page, name string) string {
	t.Helper()
	for _, m := range inputs.FindAllStringSubmatch(page, -1) {
		if m[1] == name {
			return m[2]
		}
	}
	t.Fatalf("no input %s", name)
	return ""
}

// person is a browser as far as HTTP goes.
type person struct {
	t       *testing.T
	address string
	jar     http.CookieJar
}

func jar(t *testing.T) http.CookieJar {
	j, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func (p person) get(path string, status int) (location, body string) {
	p.t.Helper()
	return p.do(http.MethodGet, path, status, nil)
}

func (p person) post(path string, status int, form url.Values) (location, body string) {
	p.t.Helper()
	return p.do(http.MethodPost, path, status, form)
}

func (p person) do(method, path string, status int, form url.Values) (location, body string) {
	p.t.Helper()
	req, err := http.NewRequest(method, p.address+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", p.address)
	}
	client := http.Client{Jar: p.jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if res.StatusCode != status {
		p.t.Fatalf("%s %s: %d\n%s", method, path, res.StatusCode, b)
	}
	return res.Header.Get("Location"), string(b)
}
