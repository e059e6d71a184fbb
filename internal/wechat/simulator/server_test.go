package simulator_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/wechat"
	"correction-console/internal/wechat/simulator"
)

const (
	mealMch = "1900000109"
	mealNo  = "1234323JKHDFE1243252"
	mealSvc = "2002000000000558128851361561536"
)

// document is the source document's own example, field by field, its total put
// right.
func document() map[string]any {
	return map[string]any{
		"service_id": mealSvc, "sub_mchid": mealMch,
		"post_payments":  []any{map[string]any{"name": "就餐费用", "description": "就餐人均100元", "amount": 40000, "count": 4}},
		"post_discounts": []any{map[string]any{"name": "满20减1元", "description": "不与其他优惠叠加", "amount": 100, "count": 2}},
		"total_amount":   39900, "reason": "用户投诉",
		"device": map[string]any{"start_device_id": "HG123456", "end_device_id": "HG123456", "materiel_no": "example_materiel_no"},
	}
}

func start(t *testing.T) *simulator.Server {
	t.Helper()
	s, err := simulator.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, o := range simulator.Samples(time.Now()) {
		s.Put(o)
	}
	return s
}

// raw is a request made by hand, so that everything about it can be wrong.
type raw struct {
	method, path, body string
	signedPath         string // default: path
	at                 time.Time
	nonce              string
	header             map[string]string
	authorization      func(string) string
	key                *rsa.PrivateKey
}

func (r raw) do(t *testing.T, s *simulator.Server) (status int, code, message string, header http.Header) {
	t.Helper()
	res, err := http.DefaultTransport.RoundTrip(r.request(t, s))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var e struct{ Code, Message string }
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode >= 300 {
		if err := json.Unmarshal(body, &e); err != nil || e.Code == "" || e.Message == "" {
			t.Errorf("error body %s", body)
		}
		if res.Header.Get("Wechatpay-Signature") != "" {
			t.Error("an error is signed; WeChat's are not")
		}
	}
	if res.Header.Get("Request-ID") == "" {
		t.Error("no Request-ID")
	}
	return res.StatusCode, e.Code, e.Message, res.Header
}

// request signs it.
func (r raw) request(t *testing.T, s *simulator.Server) *http.Request {
	t.Helper()
	if r.signedPath == "" {
		r.signedPath = r.path
	}
	if r.at.IsZero() {
		r.at = time.Now()
	}
	if r.nonce == "" {
		r.nonce = correction.NewSigning(time.Now()).Nonce
	}
	if r.key == nil {
		r.key = s.Keys().Merchant
	}
	stamp := strconv.FormatInt(r.at.Unix(), 10)
	sum := sha256.Sum256([]byte(r.method + "\n" + r.signedPath + "\n" + stamp + "\n" + r.nonce + "\n" + r.body + "\n"))
	signature, err := rsa.SignPKCS1v15(rand.Reader, r.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	auth := fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="%s",timestamp="%s",serial_no="%s",signature="%s"`,
		simulator.MchID, r.nonce, stamp, s.Keys().CertSerial, base64.StdEncoding.EncodeToString(signature))
	if r.authorization != nil {
		auth = r.authorization(auth)
	}
	req, err := http.NewRequestWithContext(context.Background(), r.method, s.URL+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	for name, value := range r.header {
		if req.Header.Set(name, value); value == "" {
			req.Header[name] = nil
		}
	}
	return req
}

func modifyPath(no string) string {
	return "/v3/payscore/partner/serviceorder/" + url.PathEscape(no) + "/modify"
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestModify_SourceDocumentSample(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := document()
	body["total_amount"] = 50000
	status, code, message, _ := raw{method: "POST", path: modifyPath(mealNo), body: encode(t, body)}.do(t, s)
	if status != 400 || code != "PARAM_ERROR" || message != "最终总金额计算非法" {
		t.Errorf("40000 − 100 → 50000: %d %s %s", status, code, message)
	}
	if n := s.Applied(mealNo); n != 0 {
		t.Fatal("it took effect")
	}
	status, code, _, header := raw{method: "POST", path: modifyPath(mealNo), body: encode(t, document())}.do(t, s)
	if status != 204 || header.Get("Wechatpay-Signature") == "" || header.Get("Wechatpay-Serial") != s.Keys().PublicKeyID {
		t.Fatalf("39900: %d %s", status, code)
	}
	o, _ := s.Order(mealMch, mealNo)
	if o.Total != 39900 || o.Collection.Total != 39900 || len(o.Discounts) != 1 || o.Lines[0].Count != 4 || s.Posts(mealNo) != 2 || s.Applied(mealNo) != 1 {
		t.Errorf("%+v", o)
	}
}

func TestModify_RefusesWhatTheDocumentsForbid(t *testing.T) {
	t.Parallel()
	s := start(t)
	set := func(name string, v any) func(map[string]any) { return func(m map[string]any) { m[name] = v } }
	unset := func(name string) func(map[string]any) { return func(m map[string]any) { delete(m, name) } }
	line := func(f func(map[string]any)) func(map[string]any) {
		return func(m map[string]any) { f(m["post_payments"].([]any)[0].(map[string]any)) }
	}
	discount := func(f func(map[string]any)) func(map[string]any) {
		return func(m map[string]any) { f(m["post_discounts"].([]any)[0].(map[string]any)) }
	}
	device := func(f func(map[string]any)) func(map[string]any) {
		return func(m map[string]any) { f(m["device"].(map[string]any)) }
	}
	many := func(list string, n int, amount int, total int) func(map[string]any) {
		return func(m map[string]any) {
			var items []any
			for i := range n {
				items = append(items, map[string]any{"name": "名" + strconv.Itoa(i), "amount": amount})
			}
			m[list], m["total_amount"] = items, total
		}
	}
	long := func(n int) string { return strings.Repeat("字", n) }
	for name, c := range map[string]struct {
		change func(map[string]any)
		status int
		code   string
	}{
		"as documented":             {func(map[string]any) {}, 204, ""},
		"unknown field":             {set("appid", "wx1"), 400, "PARAM_ERROR"},
		"order number in the body":  {set("out_order_no", mealNo), 400, "PARAM_ERROR"},
		"null":                      {set("device", nil), 400, "PARAM_ERROR"},
		"null in a line":            {line(set("description", nil)), 400, "PARAM_ERROR"},
		"unknown field of a line":   {line(set("unit", 1)), 400, "PARAM_ERROR"},
		"unknown field of device":   {device(set("id", "1")), 400, "PARAM_ERROR"},
		"total as text":             {set("total_amount", "39900"), 400, "PARAM_ERROR"},
		"total with decimals":       {set("total_amount", json.Number("39900.0")), 400, "PARAM_ERROR"},
		"total with exponent":       {set("total_amount", json.Number("399e2")), 400, "PARAM_ERROR"},
		"negative total":            {set("total_amount", -1), 400, "PARAM_ERROR"},
		"no total":                  {unset("total_amount"), 400, "PARAM_ERROR"},
		"amount as text":            {line(set("amount", "40000")), 400, "PARAM_ERROR"},
		"negative amount":           {line(set("amount", -1)), 400, "PARAM_ERROR"},
		"count 0":                   {line(set("count", 0)), 400, "PARAM_ERROR"},
		"count 100":                 {line(set("count", 100)), 204, ""},
		"count 101":                 {line(set("count", 101)), 400, "PARAM_ERROR"},
		"count as text":             {line(set("count", "4")), 400, "PARAM_ERROR"},
		"no name":                   {line(unset("name")), 400, "PARAM_ERROR"},
		"empty name":                {line(set("name", "")), 400, "PARAM_ERROR"},
		"name of 20":                {line(set("name", long(20))), 204, ""},
		"name of 21":                {line(set("name", long(21))), 400, "PARAM_ERROR"},
		"description of 30":         {line(set("description", long(30))), 204, ""},
		"description of 31":         {line(set("description", long(31))), 400, "PARAM_ERROR"},
		"emoji":                     {line(set("description", "好😀")), 400, "PARAM_ERROR"},
		"4-byte Han":                {set("reason", "𠮷"), 400, "PARAM_ERROR"},
		"neither amount nor words":  {line(func(m map[string]any) { delete(m, "amount"); delete(m, "description") }), 400, "PARAM_ERROR"},
		"discount without amount":   {func(m map[string]any) { discount(unset("amount"))(m); m["total_amount"] = 40000 }, 400, "PARAM_ERROR"},
		"reason of 50":              {set("reason", long(50)), 204, ""},
		"reason of 51":              {set("reason", long(51)), 400, "PARAM_ERROR"},
		"no reason":                 {unset("reason"), 400, "PARAM_ERROR"},
		"empty reason":              {set("reason", ""), 400, "PARAM_ERROR"},
		"device id of 50":           {device(set("end_device_id", long(50))), 204, ""},
		"device id of 51":           {device(set("end_device_id", long(51))), 400, "PARAM_ERROR"},
		"materiel of 100":           {device(set("materiel_no", long(100))), 204, ""},
		"materiel of 101":           {device(set("materiel_no", long(101))), 400, "PARAM_ERROR"},
		"device no object":          {set("device", "HG"), 400, "PARAM_ERROR"},
		"no device":                 {unset("device"), 204, ""},
		"no service":                {unset("service_id"), 204, ""},
		"another service":           {set("service_id", "500001"), 403, "NO_AUTH"},
		"no merchant":               {unset("sub_mchid"), 400, "PARAM_ERROR"},
		"another merchant":          {set("sub_mchid", "1900021408"), 404, "ORDER_NOT_EXIST"},
		"no lines":                  {set("post_payments", []any{}), 400, "PARAM_ERROR"},
		"lines missing":             {unset("post_payments"), 400, "PARAM_ERROR"},
		"lines no list":             {set("post_payments", map[string]any{"name": "x", "amount": 1}), 400, "PARAM_ERROR"},
		"100 lines":                 {many("post_payments", 100, 100, 9900), 204, ""},
		"101 lines":                 {many("post_payments", 101, 100, 10000), 400, "PARAM_ERROR"},
		"30 discounts":              {many("post_discounts", 30, 10, 39700), 204, ""},
		"31 discounts":              {many("post_discounts", 31, 10, 39690), 400, "PARAM_ERROR"},
		"sum too low":               {set("total_amount", 39899), 400, "PARAM_ERROR"},
		"sum too high":              {set("total_amount", 39901), 400, "PARAM_ERROR"},
		"count multiplies nothing":  {set("total_amount", 159900), 400, "PARAM_ERROR"},
		"discounts gone":            {func(m map[string]any) { delete(m, "post_discounts"); m["total_amount"] = 40000 }, 204, ""},
		"discounts emptied":         {func(m map[string]any) { m["post_discounts"] = []any{}; m["total_amount"] = 40000 }, 204, ""},
		"discounts kept in the sum": {unset("post_discounts"), 400, "PARAM_ERROR"},
		"no amounts, total alone":   {func(m map[string]any) { delete(m, "post_discounts"); line(unset("amount"))(m); m["total_amount"] = 123 }, 204, ""},
		"sum overflows":             {many("post_payments", 3, 1<<62, 1<<62), 400, "PARAM_ERROR"},
		"equal total":               {func(m map[string]any) { line(set("amount", 50100))(m); m["total_amount"] = 50000 }, 400, "INVALID_REQUEST"},
		"higher total":              {func(m map[string]any) { line(set("amount", 50101))(m); m["total_amount"] = 50001 }, 400, "INVALID_REQUEST"},
		"one fen lower":             {func(m map[string]any) { line(set("amount", 50099))(m); m["total_amount"] = 49999 }, 204, ""},
		"to zero":                   {func(m map[string]any) { line(set("amount", 100))(m); m["total_amount"] = 0 }, 204, ""},
		"above the service's cap":   {func(m map[string]any) { line(set("amount", 200100))(m); m["total_amount"] = 200000 }, 400, "INVALID_REQUEST"},
		"name twice": {func(m map[string]any) {
			twice(m, "post_payments", "就餐费用")
			m["total_amount"] = 900
		}, 400, "PARAM_ERROR"},
		"the product name may": {func(m map[string]any) { twice(m, "post_payments", "商品信息"); m["total_amount"] = 900 }, 204, ""},
		"not for discounts":    {func(m map[string]any) { twice(m, "post_discounts", "商品信息"); m["total_amount"] = 39000 }, 400, "PARAM_ERROR"},
	} {
		if err := s.Reset(mealMch, mealNo); err != nil {
			t.Fatal(err)
		}
		before := s.Applied(mealNo)
		body := document()
		c.change(body)
		status, code, message, _ := raw{method: "POST", path: modifyPath(mealNo), body: encode(t, body)}.do(t, s)
		if status != c.status || code != c.code {
			t.Errorf("%s: %d %s %s, want %d %s", name, status, code, message, c.status, c.code)
		}
		if strings.HasPrefix(name, "null") && message != "不允许为null" {
			t.Errorf("%s: %s", name, message)
		}
		if applied := s.Applied(mealNo) - before; (applied == 1) != (c.status == 204) {
			t.Errorf("%s: applied %d times", name, applied)
		}
	}
	for name, body := range map[string]string{
		"empty": "", "no JSON": "{", "list": "[]", "null": "null", "text": `"x"`, "trailing": encode(t, document()) + "{}",
		"key twice": strings.Replace(encode(t, document()), `"reason"`, `"total_amount":1,"reason"`, 1), "bad UTF-8": strings.Replace(encode(t, document()), "用户投诉", "\xff", 1),
	} {
		if status, code, _, _ := (raw{method: "POST", path: modifyPath(mealNo), body: body}).do(t, s); status != 400 || code != "PARAM_ERROR" {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
}

// twice makes two lines of one name, 450 each.
func twice(m map[string]any, list, name string) {
	m[list] = []any{map[string]any{"name": name, "amount": 450, "description": "a"}, map[string]any{"name": name, "amount": 450, "description": "b"}}
	if list == "post_payments" {
		delete(m, "post_discounts")
	}
}

func TestModify_RefusesByState(t *testing.T) {
	t.Parallel()
	s := start(t)
	for no, c := range map[string]struct {
		mch    string
		status int
		code   string
		tail   string
	}{
		"PB_20261122_0077":       {"1900021408", 400, "ORDER_DONE", ""},
		"YS-ZC-20261119-003":     {"1900022254", 400, "ORDER_CANCELED", ""},
		"LN20261022|KY0007":      {"1900022036", 400, "INVALID_ORDER_STATE", ""},
		"QC_BK2026112300602":     {"1900021915", 400, "INVALID_ORDER_STATE", ""},
		"PB_20261123_0188":       {"1900021408", 400, "INVALID_ORDER_STATE", ""},
		"QH-20261123-1015270050": {"1900021777", 400, "INVALID_ORDER_STATE", ""},
		"PB_20261121_0012":       {"1900021408", 400, "INVALID_REQUEST", "-271316658"},
		"PB_20261123_0131":       {"1900021408", 400, "INVALID_REQUEST", "-271316754"},
		"nothing":                {"1900021408", 404, "ORDER_NOT_EXIST", "-271317510"},
	} {
		body := encode(t, map[string]any{"sub_mchid": c.mch, "total_amount": 1, "reason": "x", "post_payments": []any{map[string]any{"name": "a", "description": "b"}}})
		status, code, _, header := raw{method: "POST", path: modifyPath(no), body: body}.do(t, s)
		if status != c.status || code != c.code || !strings.HasSuffix(header.Get("Request-ID"), c.tail) {
			t.Errorf("%s: %d %s %s, want %+v", no, status, code, header.Get("Request-ID"), c)
		}
	}
}

func TestSignature_IsVerifiedToTheLetter(t *testing.T) {
	t.Parallel()
	s := start(t)
	good := raw{method: "GET", path: "/v3/payscore/partner/serviceorder?out_order_no=" + mealNo + "&sub_mchid=" + mealMch}
	replace := func(old, new string) func(string) string {
		return func(a string) string {
			if !strings.Contains(a, old) {
				t.Errorf("%s is not in the header", old)
			}
			return strings.Replace(a, old, new, 1)
		}
	}
	for name, c := range map[string]struct {
		change func(*raw)
		status int
	}{
		"good":                {func(*raw) {}, 200},
		"299 s old":           {func(r *raw) { r.at = time.Now().Add(-299 * time.Second) }, 200},
		"302 s old":           {func(r *raw) { r.at = time.Now().Add(-302 * time.Second) }, 401},
		"302 s ahead":         {func(r *raw) { r.at = time.Now().Add(302 * time.Second) }, 401},
		"no Authorization":    {func(r *raw) { r.authorization = func(string) string { return "" } }, 401},
		"another scheme":      {func(r *raw) { r.authorization = replace("SHA256", "SM2") }, 401},
		"another merchant":    {func(r *raw) { r.authorization = replace(simulator.MchID, "1900000002") }, 401},
		"another certificate": {func(r *raw) { r.authorization = replace(s.Keys().CertSerial, "00") }, 401},
		"another key":         {func(r *raw) { r.key = s.Keys().Platform }, 401},
		"field missing":       {func(r *raw) { r.authorization = replace(`serial_no="`+s.Keys().CertSerial+`",`, "") }, 401},
		"field twice": {func(r *raw) {
			r.authorization = func(a string) string { return a + `,mchid="` + simulator.MchID + `"` }
		}, 401},
		"unknown field":           {func(r *raw) { r.authorization = func(a string) string { return a + `,x="1"` } }, 401},
		"no quotes":               {func(r *raw) { r.authorization = replace(`mchid="`+simulator.MchID+`"`, "mchid="+simulator.MchID) }, 401},
		"signature of other path": {func(r *raw) { r.signedPath = "/v3/payscore/partner/serviceorder" }, 401},
		"nonce too long":          {func(r *raw) { r.nonce = strings.Repeat("a", 33) }, 401},
		"Accept missing":          {func(r *raw) { r.header = map[string]string{"Accept": ""} }, 406},
		"Accept html":             {func(r *raw) { r.header = map[string]string{"Accept": "text/html"} }, 406},
		"known serial":            {func(r *raw) { r.header = map[string]string{"Wechatpay-Serial": s.Keys().PlatformSerial()} }, 200},
		"unknown serial":          {func(r *raw) { r.header = map[string]string{"Wechatpay-Serial": "PUB_KEY_ID_1"} }, 400},
		"both numbers":            {func(r *raw) { r.path += "&query_id=1" }, 400},
		"no number":               {func(r *raw) { r.path = "/v3/payscore/partner/serviceorder?sub_mchid=" + mealMch }, 400},
		"no merchant":             {func(r *raw) { r.path = "/v3/payscore/partner/serviceorder?out_order_no=" + mealNo }, 400},
		"unknown parameter":       {func(r *raw) { r.path += "&x=1" }, 400},
		"parameter twice":         {func(r *raw) { r.path += "&sub_mchid=" + mealMch }, 400},
		"another service":         {func(r *raw) { r.path += "&service_id=500001" }, 404},
		"POST to query":           {func(r *raw) { r.method, r.body = "POST", "{}" }, 405},
		"unknown path":            {func(r *raw) { r.path = "/v3/payscore/partner/serviceorder/modify" }, 404},
		"number not escaped once": {func(r *raw) { r.method, r.path, r.body = "POST", modifyPath("A%7C1"), "{}" }, 400},
	} {
		r := good
		c.change(&r)
		if status, code, message, _ := r.do(t, s); status != c.status {
			t.Errorf("%s: %d %s %s, want %d", name, status, code, message, c.status)
		}
	}
	again := good
	again.nonce = strings.Repeat("n", 32)
	if status, _, _, _ := again.do(t, s); status != 200 {
		t.Fatal(status)
	}
	if status, code, _, _ := again.do(t, s); status != 401 || code != "SIGN_ERROR" {
		t.Errorf("a nonce for the second time: %d %s", status, code)
	}
	text := raw{method: "POST", path: modifyPath(mealNo), body: encode(t, document()), header: map[string]string{"Content-Type": "text/plain"}}
	if status, _, _, _ := text.do(t, s); status != 415 {
		t.Errorf("Content-Type text/plain: %d", status)
	}
}

func TestModify_MinGapIsOptional(t *testing.T) {
	t.Parallel()
	s := start(t)
	now := time.Now()
	s.SetNow(func() time.Time { return now })
	s.SetMinGap(time.Second)
	total := 39900
	call := func() int {
		body := document()
		total--
		body["post_payments"].([]any)[0].(map[string]any)["amount"], body["total_amount"] = total+100, total
		status, _, _, _ := raw{method: "POST", path: modifyPath(mealNo), body: encode(t, body), at: now}.do(t, s)
		return status
	}
	if got := []int{call(), call()}; !slices.Equal(got, []int{204, 429}) {
		t.Errorf("%v", got)
	}
	now = now.Add(time.Second)
	if got := call(); got != 204 {
		t.Errorf("a second later: %d", got)
	}
}

func TestSamples_CoverEveryIndustryAndState(t *testing.T) {
	t.Parallel()
	services := map[string]correction.Offering{}
	industries := map[string]bool{}
	for _, o := range simulator.DemoOfferings() {
		services[o.ServiceID] = o
		if _, ok := correction.FindIndustry(o.Industry); !ok && o.Industry != "" {
			t.Errorf("%s: industry %s is unknown", o.Name, o.Industry)
		}
	}
	merchants := map[string]bool{}
	for _, m := range simulator.DemoMerchants() {
		merchants[m.SubMchID] = true
	}
	obstacles := map[correction.Obstacle]int{}
	numbers, characters := map[string]bool{}, ""
	policy := correction.DefaultPolicy()
	for _, o := range simulator.Samples(time.Now()) {
		svc, ok := services[o.ServiceID]
		if !ok || !merchants[o.SubMchID] || numbers[o.OutOrderNo] || !correction.ValidOrderNo(o.OutOrderNo) {
			t.Errorf("%s: service, merchant or number", o.OutOrderNo)
		}
		numbers[o.OutOrderNo] = true
		characters += o.OutOrderNo
		why := o.WhyNot(nil, time.Now())
		if why == correction.NoObstacle {
			industries[svc.Industry] = true
			switch {
			case o.Charging:
				why = correction.Charging
			case o.Deposit:
				why = correction.Deposit
			}
			// Its lines must be as WeChat's rules and the industry's want them.
			if svc.Cap > 0 && o.Total > svc.Cap {
				t.Errorf("%s is above its cap", o.OutOrderNo)
			}
			if correction.AnyAmount(o.Lines) {
				var sum correction.Fen
				for _, l := range o.Lines {
					sum += l.Amount
				}
				for _, l := range o.Discounts {
					sum -= l.Amount
				}
				if sum != o.Total {
					t.Errorf("%s: the lines say %s, the total %s", o.OutOrderNo, sum, o.Total)
				}
			}
			f := correction.FormOf(o.Order, correction.Device{Start: "A", End: "A"})
			f.ReasonCode, f.Total = "timing", o.Total.Yuan()
			c := policy.Check(f, o.Order, svc)
			for _, n := range c.Problems {
				if n.Code != correction.BadUnchanged {
					t.Errorf("%s: %+v", o.OutOrderNo, n)
				}
			}
			for _, n := range c.Warnings {
				t.Errorf("%s: warning %+v", o.OutOrderNo, n)
			}
		}
		obstacles[why]++
	}
	for _, i := range correction.Industries {
		if !industries[i.Code] {
			t.Errorf("no order of %s can be corrected", i.Code)
		}
	}
	for _, o := range append([]correction.Obstacle{correction.NoObstacle}, correction.Obstacles...) {
		if obstacles[o] == 0 && o != correction.AlreadyLower && o != correction.Unrecognised && o != correction.BeyondBound {
			t.Errorf("no order for %q; there are %v", o, slices.Sorted(maps.Keys(obstacles)))
		}
	}
	for _, r := range "_-|*" {
		if !strings.ContainsRune(characters, r) {
			t.Errorf("no order number with %c", r)
		}
	}
}

// Every sample must be what the gateway reads.
func TestQuery_AnswersWhatTheGatewayReads(t *testing.T) {
	t.Parallel()
	s := start(t)
	g, err := wechat.New(s.CertConfig())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range s.Orders() {
		r, err := g.Query(context.Background(), correction.Ref{SubMchID: o.SubMchID, ServiceID: o.ServiceID, OutOrderNo: o.OutOrderNo})
		if err != nil {
			t.Errorf("%s: %v", o.OutOrderNo, err)
			continue
		}
		if !r.Order.SameMoney(o.Order) || r.Order.WhyNot(nil, time.Now()) != o.WhyNot(nil, time.Now()) || r.Order.OrderID != o.OrderID ||
			r.Order.StartTime != o.StartTime || r.Order.EndLocation != o.EndLocation || len(r.Order.Collection.Payments) != len(o.Collection.Payments) {
			t.Errorf("%s reads as %+v", o.OutOrderNo, r.Order)
		}
	}
}

func TestFaults_SkipTimesAndOrder(t *testing.T) {
	t.Parallel()
	s := start(t)
	g, err := wechat.New(s.Config())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(no string) bool {
		_, err := g.Query(context.Background(), correction.Ref{SubMchID: "1900021408", OutOrderNo: no})
		return err == nil
	}
	if err := s.Script(simulator.Fault{Kind: simulator.ErrorBefore, Call: simulator.CallQuery, Order: "PB_20261123_0099", Times: 2, Skip: 1}); err != nil {
		t.Fatal(err)
	}
	var got []bool
	for _, no := range []string{"PB_20261123_0131", "PB_20261123_0099", "PB_20261123_0099", "PB_20261123_0131", "PB_20261123_0099", "PB_20261123_0099"} {
		got = append(got, ask(no))
	}
	if want := []bool{true, true, false, true, false, true}; !slices.Equal(got, want) || len(s.Armed()) != 0 {
		t.Errorf("%v, want %v; left %v", got, want, s.Armed())
	}
	for _, f := range []simulator.Fault{
		{Kind: "nothing", Call: simulator.CallQuery}, {Kind: simulator.Busy, Call: simulator.CallQuery},
		{Kind: simulator.TimeoutAfter, Call: simulator.CallQuery}, {Kind: simulator.Slow}, {Kind: simulator.StatusBefore, Call: simulator.CallQuery},
		{Kind: simulator.StatusAfter, Call: simulator.CallModify, Status: 199}, {Kind: simulator.StatusAfter, Call: simulator.CallModify, Status: 600},
	} {
		if s.Script(f) == nil {
			t.Errorf("%+v was armed", f)
		}
	}
}

func TestClose_EndsCallsThatHang(t *testing.T) {
	t.Parallel()
	s := start(t)
	g, err := wechat.New(s.Config())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Script(simulator.Fault{Kind: simulator.TimeoutBefore, Call: simulator.CallQuery}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := g.Query(context.Background(), correction.Ref{SubMchID: mealMch, OutOrderNo: mealNo})
		done <- err
	}()
	for s.Queries(mealNo) == 0 || len(s.Armed()) > 0 {
		runtime.Gosched()
	}
	s.Close()
	select {
	case err := <-done:
		if correction.KindOf(err) != correction.Unavailable {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the call still hangs")
	}
}

func TestTruth_PayLowerResetCharge(t *testing.T) {
	t.Parallel()
	s := start(t)
	mine, _ := s.Order("1900021777", "QH-20261123-0844170093")
	mine.Lines[0].Amount = 1
	if o, _ := s.Order("1900021777", mine.OutOrderNo); o.Lines[0].Amount != 1980 {
		t.Error("what a test holds is the truth itself, not a copy")
	}
	if err := s.LowerElsewhere("1900021777", "QH-20261123-0844170093", 3970); err != nil {
		t.Fatal(err)
	}
	o, _ := s.Order("1900021777", "QH-20261123-0844170093")
	var sum correction.Fen
	for _, l := range o.Lines {
		sum += l.Amount
	}
	if o.Total != 3970 || o.Collection.Paying != 3970 || sum-500 != 3970 || s.Applied(o.OutOrderNo) != 0 {
		t.Errorf("%+v", o)
	}
	if s.LowerElsewhere("1900021777", o.OutOrderNo, 3970) == nil || s.LowerElsewhere("1900021777", "none", 1) == nil {
		t.Error("lowered to the same total, or an order that is not there")
	}
	if err := s.Pay("1900021777", o.OutOrderNo); err != nil {
		t.Fatal(err)
	}
	if o, _ = s.Order("1900021777", o.OutOrderNo); !o.Paid() || o.Collection.Paid != 3970 || len(o.Collection.Payments) != 1 {
		t.Errorf("%+v", o)
	}
	if s.Pay("1900021777", o.OutOrderNo) == nil {
		t.Error("paid twice")
	}
	if err := s.Reset("1900021777", o.OutOrderNo); err != nil {
		t.Fatal(err)
	}
	if o, _ = s.Order("1900021777", o.OutOrderNo); o.Total != 17220 || !o.Completed() {
		t.Errorf("%+v", o)
	}
}

func TestPage_ArmsFaultsAndChangesOrders(t *testing.T) {
	t.Parallel()
	s := start(t)
	page := httptest.NewServer(s.PageHandler())
	defer page.Close()
	client := page.Client()
	post := func(path string, form url.Values, site string) int {
		req, err := http.NewRequest(http.MethodPost, page.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", site)
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	fault := url.Values{"kind": {"busy"}, "call": {"modify"}, "order": {mealNo}, "times": {"2"}}
	if n := post("/faults", fault, "cross-site"); n != http.StatusForbidden || len(s.Armed()) != 0 {
		t.Errorf("from another site: %d", n)
	}
	if n := post("/faults", fault, "same-origin"); n != http.StatusOK {
		t.Errorf("%d", n)
	}
	if a := s.Armed(); len(a) != 1 || a[0].Kind != simulator.Busy || a[0].Times != 2 || a[0].Order != mealNo {
		t.Errorf("armed %+v", a)
	}
	fault.Set("call", "query")
	if n := post("/faults", fault, "same-origin"); n != http.StatusUnprocessableEntity {
		t.Errorf("a fault that does not exist: %d", n)
	}
	res, err := client.Get(page.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{mealNo, "巷口小馆", "¥500.00", "单据正在扣款中", "being charged", "×2"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, bad := range []string{"<script", " style=", "onclick", "status_before", "status_after"} { // the last need parameters
		if strings.Contains(string(body), bad) {
			t.Errorf("the page holds %s", bad)
		}
	}
	if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("CSP %q", csp)
	}
	order := url.Values{"sub_mchid": {mealMch}, "order": {mealNo}}
	post("/orders/pay", order, "same-origin")
	if o, _ := s.Order(mealMch, mealNo); !o.Paid() {
		t.Error("not paid")
	}
	post("/orders/reset", order, "same-origin")
	if o, _ := s.Order(mealMch, mealNo); o.Paid() {
		t.Error("not reset")
	}
	order.Set("on", "1")
	post("/orders/charging", order, "same-origin")
	if o, _ := s.Order(mealMch, mealNo); !o.Charging {
		t.Error("not being charged")
	}
	post("/faults/clear", nil, "same-origin")
	if len(s.Armed()) != 0 {
		t.Error("not disarmed")
	}
}

func TestStart_TakenPortIsAnError(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := simulator.Start(l.Addr().String()); err == nil {
		t.Error("started twice on one port")
	}
}
