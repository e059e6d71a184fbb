package wechat

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"correction-console/internal/correction"
)

var asked = correction.Ref{SubMchID: "1900000109", ServiceID: "500001", OutOrderNo: "1234323JKHDFE1243252"}

const documented = `{"out_order_no":"1234323JKHDFE1243252","service_id":"500001","appid":"wxd678efh567hg6787","mchid":"1230000109",
"sub_mchid":"1900000109","service_introduction":"某某酒店","state":"DOING","state_description":"MCH_COMPLETE","total_amount":"39900",
"post_payments":{"name":"就餐费用","amount":40000,"description":"就餐人均100元","count":4},
"post_discounts":[{"name":"满20减1元","description":"不与其他优惠叠加","amount":100,"count":"2"}],
"risk_fund":{"name":"ESTIMATE_ORDER_COST","amount":50000,"description":"就餐的预估费用"},
"time_range":{"start_time":"20091225091010","end_time":"20091225121010"},"location":{"start_location":"嗨客时尚主题展餐厅","end_location":"嗨客时尚主题展餐厅"},
"attach":"Easdfowealsdkjfnlaksjdlfkwqoi&wl3l2sald","notify_url":"https://api.test.com","order_id":"15646546545165651651","need_collection":true,
"collection":{"state":"USER_PAYING","total_amount":39900,"paying_amount":39900,"paid_amount":0,
"details":[{"seq":1,"amount":900,"paid_type":"NEWTON","paid_time":"20091225091210","transaction_id":"15646546545165651651","promotion_detail":[{"coupon_id":"1"}]}]},
"something_new":{"a":[1.5,null,{"b":true}]}}`

func TestDecodeOrder_TakesWhatTheDocumentsDisagreeAbout(t *testing.T) {
	t.Parallel()
	o, err := decodeOrder([]byte(documented), asked)
	if err != nil {
		t.Fatal(err)
	}
	want := correction.Order{
		SubMchID: "1900000109", ServiceID: "500001", OutOrderNo: "1234323JKHDFE1243252", OrderID: "15646546545165651651", Introduction: "某某酒店",
		State: "DOING", StateDescription: "MCH_COMPLETE", Total: 39900, HasTotal: true,
		Lines:     []correction.Line{{Name: "就餐费用", Description: "就餐人均100元", Amount: 40000, HasAmount: true, Count: 4}},
		Discounts: []correction.Line{{Name: "满20减1元", Description: "不与其他优惠叠加", Amount: 100, HasAmount: true, Count: 2}},
		RiskFund:  correction.RiskFund{Name: "ESTIMATE_ORDER_COST", Amount: 50000},
		Collection: correction.Collection{State: "USER_PAYING", Total: 39900, Paying: 39900,
			Payments: []correction.Payment{{Amount: 900, PaidType: "NEWTON", PaidTime: "20091225091210", TransactionID: "15646546545165651651"}}},
		StartTime: "20091225091010", EndTime: "20091225121010", StartLocation: "嗨客时尚主题展餐厅", EndLocation: "嗨客时尚主题展餐厅",
	}
	if !reflect.DeepEqual(o, want) {
		t.Errorf("%+v\nwant\n%+v", o, want)
	}
	// What is left out, null or empty is absent; numbers come from the question.
	o, err = decodeOrder([]byte(`{"state":"DONE","total_amount":null,"post_payments":null,"collection":null,"risk_fund":{},"post_discounts":[]}`), asked)
	if err != nil || o.HasTotal || o.Lines != nil || o.Collection.State != "" || o.OutOrderNo != asked.OutOrderNo || o.SubMchID != asked.SubMchID || o.ServiceID != asked.ServiceID {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := decodeOrder([]byte(`{"state":"DONE","total_amount":0,"post_payments":[{"name":"a","amount":0}]}`), asked); err != nil || !o.HasTotal || !o.Lines[0].HasAmount {
		t.Errorf("a zero is not absent: %+v, %v", o, err)
	}
}

func TestDecodeOrder_RefusesWhatCanBeReadInTwoWays(t *testing.T) {
	t.Parallel()
	with := func(field string) string { return `{"state":"DOING",` + field + `}` }
	for _, body := range []string{
		``, ` `, `null`, `1`, `"x"`, `[]`, `{`, `{}`, `{"state":""}`, documented + `{}`, documented + ` x`, documented[:len(documented)-1],
		`<html></html>`, "\xef\xbb\xbf" + documented,
		with(`"total_amount":1,"total_amount":2`), with(`"total_amount":1,"Total_Amount":2`), with(`"x":{"a":1,"A":2}`), with(`"STATE":"DONE"`),
		with(`"total_amount":1.0`), with(`"total_amount":1e2`), with(`"total_amount":-1`), with(`"total_amount":"1.5"`), with(`"total_amount":" 1"`),
		with(`"total_amount":"-1"`), with(`"total_amount":"+1"`), with(`"total_amount":true`), with(`"total_amount":[1]`), with(`"total_amount":{}`),
		with(`"total_amount":9223372036854775807`), with(`"total_amount":99999999999999999999`), with(`"total_amount":"１２"`),
		with(`"post_payments":"x"`), with(`"post_payments":[1]`), with(`"post_payments":[[{}]]`), with(`"post_payments":[null]`),
		with(`"post_payments":[{"name":1}]`), with(`"post_payments":[{"amount":"x"}]`), with(`"post_payments":[{"count":3000000000}]`),
		with(`"post_payments":[` + strings.Repeat(`{},`, 1000) + `{}]`), with(`"service_introduction":"` + strings.Repeat("字", 1025) + `"`),
		with(`"risk_fund":[]`), with(`"collection":{}`), with(`"collection":"USER_PAID"`), with(`"collection":{"state":1}`), with(`"sub_mchid":1900000109`),
		with(`"out_order_no":"1234323JKHDFE1243253"`), with(`"sub_mchid":"1900000110"`), with(`"x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20)),
		`{"state":1}`,
	} {
		if o, err := decodeOrder([]byte(body), asked); err == nil {
			t.Errorf("%.80s reads as %+v", body, o)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q", err)
		}
	}
}

func TestAnswer_ErrorBodiesAreHintsOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		id     string
		body   string
		class  correction.Class
		cause  string
		code   string
	}{
		{"documented", 400, "08F-268435464", `{"code":"PARAM_ERROR","message":"参数错误","detail":{"field":"/amount"}}`, correction.Refused, "", "PARAM_ERROR"},
		{"printed with a space", 404, "08F", `{"code":"ORDER_NOT_ EXIST","message":"m"}`, correction.Refused, "", "ORDER_NOT_EXIST"},
		{"no body", 400, "", ``, correction.Uncertain, correction.CauseGarbage, ""},
		{"page", 404, "", `<html>`, correction.Uncertain, correction.CauseGarbage, ""},
		{"a proxy's JSON", 403, "", `{"code":403,"message":"denied"}`, correction.Uncertain, correction.CauseGarbage, ""},
		{"a proxy's text code", 403, "", `{"code":"denied"}`, correction.Uncertain, correction.CauseGarbage, ""},
		{"two codes", 400, "", `{"code":"PARAM_ERROR","Code":"SYSTEM_ERROR"}`, correction.Uncertain, correction.CauseGarbage, ""},
		{"list", 400, "", `[{"code":"PARAM_ERROR"}]`, correction.Uncertain, correction.CauseGarbage, ""},
		{"trailing", 400, "", `{"code":"PARAM_ERROR"}x`, correction.Uncertain, correction.CauseGarbage, ""},
		{"timeout of a proxy", 408, "", `{"code":"REQUEST_TIMEOUT"}`, correction.Uncertain, correction.CauseServer, "REQUEST_TIMEOUT"},
		{"5xx in a 4xx", 400, "", `{"code":"SYSTEM_ERROR","message":"系统错误"}`, correction.Uncertain, correction.CauseServer, "SYSTEM_ERROR"},
		{"pretends another status", 503, "", `{"code":"PARAM_ERROR","StatusCode":400}`, correction.Uncertain, correction.CauseServer, "PARAM_ERROR"},
		{"429 without code", 429, "", `slow down`, correction.Uncertain, correction.CauseRate, ""},
		{"304", 304, "", ``, correction.Uncertain, correction.CauseRedirect, ""},
		{"206", 206, "", ``, correction.Uncertain, correction.CauseGarbage, ""},
		{"informational", 101, "", ``, correction.Uncertain, correction.CauseGarbage, ""},
	} {
		a := reply{status: c.status, requestID: c.id, body: []byte(c.body)}.answer(true)
		if a.Class != c.class || a.Cause != c.cause || a.Remote.Code != c.code || a.Remote.Status != c.status || a.Remote.RequestID != c.id {
			t.Errorf("%s: %+v", c.name, a)
		}
	}
	for _, c := range []struct {
		id, message string
		want        correction.Obstacle
	}{
		{"08F7-271316754", "x", correction.Charging}, {"", "单据正在扣款中,请稍后再试", correction.Charging}, {"", "押金订单的金额不支持修改", correction.Deposit},
		{"271316754-1", "x", ""}, {"08F7-1271316754", "x", ""}, {"", "", ""},
	} {
		body, _ := json.Marshal(map[string]string{"code": "INVALID_REQUEST", "message": c.message})
		if a := (reply{status: 400, requestID: c.id, body: body}).answer(true); a.Obstacle != c.want {
			t.Errorf("%+v: %q", c, a.Obstacle)
		}
		if a := (reply{status: 500, requestID: c.id, body: body}).answer(true); a.Obstacle != "" {
			t.Errorf("%+v: an uncertain answer is no obstacle", c)
		}
	}
	body, _ := json.Marshal(map[string]string{"code": "PARAM_ERROR", "message": strings.Repeat("长", 1000)})
	if a := (reply{status: 400, body: body}).answer(true); utf8.RuneCountInString(a.Remote.Message) != 300 {
		t.Errorf("message of %d characters", utf8.RuneCountInString(a.Remote.Message))
	}
}

func FuzzDecodeOrder(f *testing.F) {
	f.Add([]byte(documented))
	f.Add([]byte(`{"state":"DONE","post_payments":{"amount":"1"},"Total_amount":1}`))
	f.Add([]byte(`{"state":"DOING","collection":{"state":"USER_PAYING","details":[{}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := decodeOrder(body, asked)
		if err != nil {
			if !reflect.DeepEqual(o, correction.Order{}) {
				t.Fatal("an error with an order")
			}
			return
		}
		if !json.Valid(body) || o.State == "" || o.SubMchID != asked.SubMchID || o.OutOrderNo != asked.OutOrderNo {
			t.Fatalf("%+v", o)
		}
		bounded := func(a correction.Fen, has bool) {
			if a < 0 || a > maxFen || (!has && a != 0) {
				t.Fatalf("amount %d", a)
			}
		}
		bounded(o.Total, o.HasTotal)
		for _, l := range append(append([]correction.Line{}, o.Lines...), o.Discounts...) {
			bounded(l.Amount, l.HasAmount)
			if l.Count < 0 || !utf8.ValidString(l.Name+l.Description) || utf8.RuneCountInString(l.Name) > maxText {
				t.Fatalf("line %+v", l)
			}
		}
		blob, hash := o.Snapshot()
		back, err := correction.ParseSnapshot(blob)
		if _, again := back.Snapshot(); err != nil || again != hash {
			t.Fatalf("the snapshot does not read back: %v", err)
		}
	})
}

// FuzzClassify: whatever arrives, an answer is accepted only with a good signature,
// refused only with a code of WeChat's, and "nothing sent" only without a
// connection.
func FuzzClassify(f *testing.F) {
	f.Add(400, "08F7-271316754", []byte(`{"code":"INVALID_REQUEST","message":"单据正在扣款中"}`), true, uint8(0))
	f.Add(204, "", []byte(``), true, uint8(0))
	f.Add(200, "", []byte(`x`), true, uint8(1))
	f.Add(0, "", []byte(``), false, uint8(2))
	f.Add(429, "", []byte(`{"code":"FREQUENCY_LIMITED","message":""}`), true, uint8(0))
	f.Fuzz(func(t *testing.T, status int, id string, body []byte, connected bool, failed uint8) {
		r := reply{status: status % 1000, requestID: clip(id, maxRequestID), body: body}
		r.failure = []error{nil, errSignature, errTooLarge, http.ErrHandlerTimeout}[failed%4]
		a := r.answer(connected)
		switch a.Class {
		case correction.Accepted:
			if r.failure != nil || (r.status != 200 && r.status != 204) {
				t.Fatalf("%+v accepted", r)
			}
		case correction.Refused:
			if r.failure != nil || r.status/100 != 4 || a.Remote.Code == "" {
				t.Fatalf("%+v refused", r)
			}
		case correction.NothingSent:
			if connected || r.status != 0 {
				t.Fatalf("%+v not sent", r)
			}
		case correction.Uncertain:
			if a.Cause == "" || a.Obstacle != "" {
				t.Fatalf("%+v: %+v", r, a)
			}
		default:
			t.Fatalf("class %q", a.Class)
		}
		if utf8.RuneCountInString(a.Remote.Message) > maxMessage || len(a.Remote.Code) > 64 || !utf8.ValidString(a.Remote.Message+a.Remote.RequestID) {
			t.Fatalf("%+v", a.Remote)
		}
		if o, err := r.order(asked); err == nil && (r.status != 200 || r.failure != nil || o.State == "") {
			t.Fatalf("%+v read as %+v", r, o)
		} else if err != nil && correction.KindOf(err) == correction.Internal {
			t.Fatalf("%+v: %v", r, err)
		}
	})
}
