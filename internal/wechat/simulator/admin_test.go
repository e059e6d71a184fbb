package simulator_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"correction-console/internal/wechat/simulator"
)

func TestAdmin_DrivesAServerAndTellsTheTruth(t *testing.T) {
	t.Parallel()
	s, err := simulator.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	admin := httptest.NewServer(simulator.Admin(s))
	defer admin.Close()
	call := func(method, path string, in, out any) int {
		t.Helper()
		body := ""
		if in != nil {
			body = encode(t, in)
		}
		req, err := http.NewRequest(method, admin.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if out != nil {
			if err := json.Unmarshal(answer, out); err != nil || answer[0] == 'n' {
				t.Fatalf("%s %s: %s", method, path, answer)
			}
		}
		return res.StatusCode
	}
	var orders []simulator.Order
	var posts []simulator.Post
	if call("GET", "/orders", nil, &orders); len(orders) != 0 {
		t.Errorf("%+v", orders)
	}
	samples := simulator.Samples(time.Now())
	samples[0].Charging, samples[0].Cap, samples[0].Attach = true, 9900, "x"
	if n := call("PUT", "/orders", samples, nil); n != http.StatusNoContent {
		t.Fatal(n)
	}
	if call("GET", "/orders", nil, &orders); !reflect.DeepEqual(orders, s.Orders()) || len(orders) != len(samples) || !orders[0].Charging {
		t.Errorf("%+v", orders)
	}
	if n := call("POST", "/fault", simulator.Fault{Kind: simulator.Busy, Call: simulator.CallModify, Order: mealNo}, nil); n != 204 || len(s.Armed()) != 1 {
		t.Errorf("%d, %v", n, s.Armed())
	}
	modify := raw{method: "POST", path: modifyPath(mealNo), body: encode(t, document())}
	if status, _, _, _ := modify.do(t, s); status != 400 {
		t.Error(status)
	}
	modify.do(t, s)
	if call("GET", "/posts", nil, &posts); len(posts) != 2 || posts[0].Fault != simulator.Busy || !posts[1].Applied || posts[1].SHA256 != s.PostLog()[1].SHA256 {
		t.Errorf("%+v", posts)
	}
	if call("GET", "/orders", nil, &orders); orders[len(orders)-1].Total != 39900 {
		t.Errorf("%+v", orders[len(orders)-1])
	}
	if n := call("POST", "/chaos", simulator.ChaosSpec{Seed: 1, Permille: 1000, Kinds: []simulator.Kind{simulator.NoAuth}}, nil); n != 204 {
		t.Error(n)
	}
	if status, _, _, _ := modify.do(t, s); status != 403 {
		t.Errorf("chaos: %d", status)
	}
	if n := call("POST", "/disarm", nil, nil); n != 204 {
		t.Error(n)
	}
	if status, code, _, _ := modify.do(t, s); code != "INVALID_REQUEST" { // once more to the same total
		t.Errorf("disarmed: %d %s", status, code)
	}
	for path, in := range map[string]any{
		"/fault": simulator.Fault{Kind: "nothing", Call: simulator.CallModify}, "/chaos": map[string]int{"permille": 2000, "seed": 1},
	} {
		if n := call("POST", path, in, nil); n != http.StatusUnprocessableEntity {
			t.Errorf("%s %v: %d", path, in, n)
		}
	}
	if n := call("POST", "/fault", map[string]string{"what": "x"}, nil); n != http.StatusUnprocessableEntity {
		t.Errorf("an unknown field: %d", n)
	}
	for _, path := range []string{"/orders", "/posts"} {
		if status, _, _, _ := (raw{method: "GET", path: path}).do(t, s); status != 404 {
			t.Errorf("%s on the listener of the API: %d", path, status)
		}
	}
}
