package correction

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// genLine draws a line that Check could have produced.
func genLine() *rapid.Generator[Line] {
	text := rapid.StringMatching(`[一-龥a-z0-9"<>&\\/=']{1,12}`)
	return rapid.Custom(func(t *rapid.T) Line {
		l := Line{Name: text.Draw(t, "name"), Count: rapid.IntRange(0, MaxCount).Draw(t, "count")}
		if l.HasAmount = rapid.Bool().Draw(t, "has amount"); l.HasAmount {
			l.Amount = Fen(rapid.Int64Range(0, int64(MaxAmount)).Draw(t, "amount"))
		}
		if !l.HasAmount || rapid.Bool().Draw(t, "described") {
			l.Description = text.Draw(t, "description")
		}
		return l
	})
}

func genRequest() *rapid.Generator[Request] {
	return rapid.Custom(func(t *rapid.T) Request {
		text := rapid.StringMatching(`[一-龥A-Z"<>&]{0,10}`)
		r := Request{
			ServiceID: rapid.StringMatching(`[0-9]{0,32}`).Draw(t, "service"),
			SubMchID:  rapid.StringMatching(`[0-9]{1,10}`).Draw(t, "merchant"),
			Lines:     rapid.SliceOfN(genLine(), 1, 5).Draw(t, "lines"),
			Total:     Fen(rapid.Int64Range(0, int64(MaxAmount)).Draw(t, "total")),
			Reason:    "由" + text.Draw(t, "reason"),
			Device:    Device{Start: text.Draw(t, "start"), End: text.Draw(t, "end"), Materiel: text.Draw(t, "materiel")},
		}
		if n := rapid.IntRange(0, 3).Draw(t, "discounts"); n > 0 {
			r.Discounts = rapid.SliceOfN(genLine(), n, n).Draw(t, "discount")
		} else {
			r.ClearDiscounts = rapid.Bool().Draw(t, "clear")
		}
		return r
	})
}

func TestBody_ReadsBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := genRequest().Draw(t, "request")
		body := r.Body()
		back, err := ParseBody(body)
		if err != nil || !reflect.DeepEqual(back, r) {
			t.Fatalf("%s reads as %+v, %v; want %+v", body, back, err, r)
		}
		if again := back.Body(); !bytes.Equal(again, body) {
			t.Fatalf("%s is written again as %s", body, again)
		}
	})
}

func TestBody_HoldsOnlyWhatTheDocumentsName(t *testing.T) {
	t.Parallel()
	known := map[string][]string{
		"":               {"service_id", "sub_mchid", "post_payments", "post_discounts", "total_amount", "reason", "device"},
		"post_payments":  {"name", "amount", "description", "count"},
		"post_discounts": {"name", "amount", "description", "count"},
		"device":         {"start_device_id", "end_device_id", "materiel_no"},
	}
	rapid.Check(t, func(t *rapid.T) {
		body := genRequest().Draw(t, "request").Body()
		var walk func(where string, v any)
		walk = func(where string, v any) {
			switch v := v.(type) {
			case nil:
				t.Fatalf("null in %s", body)
			case []any:
				for _, x := range v {
					walk(where, x)
				}
			case map[string]any:
				for key, x := range v {
					if !slices.Contains(known[where], key) {
						t.Fatalf("unknown field %s.%s in %s", where, key, body)
					}
					if _, s := x.(string); s && (key == "amount" || key == "total_amount" || key == "count") {
						t.Fatalf("%s is a string in %s", key, body)
					}
					walk(key, x)
				}
			}
		}
		var v any
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		walk("", v)
		if bytes.HasSuffix(body, []byte("\n")) {
			t.Fatalf("body %q ends in a line feed", body)
		}
	})
}

func TestBody_IsByteForByte(t *testing.T) {
	t.Parallel()
	sample := Request{
		ServiceID: "2002000000000558128851361561536", SubMchID: "1900000109",
		Lines:     []Line{{Name: "就餐费用", Description: "就餐人均100元", Amount: 40000, HasAmount: true, Count: 4}},
		Discounts: []Line{{Name: "满20减1元", Description: "不与其他优惠叠加", Amount: 100, HasAmount: true, Count: 2}},
		Total:     39900, Reason: "用户投诉", Device: Device{Start: "HG123456", End: "HG123456", Materiel: "https://example.com/m?a=1&b=2"},
	}
	bare := Request{SubMchID: "1", Lines: []Line{{Name: "<费>&\"", Amount: 0, HasAmount: true}}, Reason: "误"}
	clearing := bare
	clearing.ClearDiscounts = true
	for name, c := range map[string]struct {
		r    Request
		want string
	}{
		"sample": {sample, `{"service_id":"2002000000000558128851361561536","sub_mchid":"1900000109",` +
			`"post_payments":[{"name":"就餐费用","amount":40000,"description":"就餐人均100元","count":4}],` +
			`"post_discounts":[{"name":"满20减1元","amount":100,"description":"不与其他优惠叠加","count":2}],` +
			`"total_amount":39900,"reason":"用户投诉",` +
			`"device":{"start_device_id":"HG123456","end_device_id":"HG123456","materiel_no":"https://example.com/m?a=1&b=2"}}`},
		"power bank": {Request{
			ServiceID: "500001", SubMchID: "1900000109",
			Lines: []Line{{Name: "收费标准", Description: "2元/小时，99元封顶"}, {Name: "使用时长", Description: "5小时"}},
			Total: 1000, Reason: "经核实设备计费异常，已按实际使用情况调整金额。", Device: Device{Start: "HG1"},
		}, `{"service_id":"500001","sub_mchid":"1900000109",` +
			`"post_payments":[{"name":"收费标准","description":"2元/小时，99元封顶"},{"name":"使用时长","description":"5小时"}],` +
			`"total_amount":1000,"reason":"经核实设备计费异常，已按实际使用情况调整金额。","device":{"start_device_id":"HG1"}}`},
		"zero is sent":       {bare, `{"sub_mchid":"1","post_payments":[{"name":"<费>&\"","amount":0}],"total_amount":0,"reason":"误"}`},
		"discounts cleared":  {clearing, `{"sub_mchid":"1","post_payments":[{"name":"<费>&\"","amount":0}],"post_discounts":[],"total_amount":0,"reason":"误"}`},
		"no lines, no null":  {Request{SubMchID: "1"}, `{"sub_mchid":"1","post_payments":[],"total_amount":0,"reason":""}`},
		"amount not claimed": {Request{Lines: []Line{{Name: "a", Amount: 5}}}, `{"sub_mchid":"","post_payments":[{"name":"a"}],"total_amount":0,"reason":""}`},
	} {
		if got := string(c.r.Body()); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestParseBody_RefusesWhatBodyDoesNotWrite(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		``, `null x`, `{`, `[]`, `{"out_order_no":"1"}`, `{"sub_mchid":"1","appid":"x"}`, `{"total_amount":1.5}`, `{"total_amount":"1"}`,
		`{"post_payments":[{"amount":1e40}]}`, `{"sub_mchid":"1"}{}`, `{"sub_mchid":"1"} x`, `{"device":{"id":"x"}}`, `{"post_payments":[{"unit":1}]}`,
	} {
		if r, err := ParseBody([]byte(body)); err == nil {
			t.Errorf("ParseBody(%s) = %+v", body, r)
		}
	}
}
