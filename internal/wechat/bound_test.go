package wechat

import (
	"net/http"
	"testing"

	"correction-console/internal/correction"
)

func TestOrder_NamesAmountsThatNoOrderCanHave(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		`"total_amount":-1`: "−¥0.01", `"total_amount":"-150"`: "−¥1.50", `"total_amount":9223372036854775807`: "¥92,233,720,368,547,758.07",
		`"total_amount":99999999999999999999`: "¥999,999,999,999,999,999.99", `"post_payments":[{"name":"a","amount":-5}]`: "−¥0.05",
		`"post_discounts":{"name":"a","amount":-500}`: "−¥5.00", `"risk_fund":{"amount":-1}`: "−¥0.01",
		`"collection":{"state":"USER_PAYING","total_amount":1000000000000}`: "¥10,000,000,000.00",
		`"total_amount":1.5`: "", `"total_amount":1e20`: "", `"total_amount":"x"`: "",
	} {
		_, err := reply{status: http.StatusOK, body: []byte(`{"state":"DOING",` + field + `}`)}.order(correction.Ref{})
		e, _ := err.(*correction.Error)
		switch {
		case e == nil:
			t.Errorf("%s: no error", field)
		case want == "" && (e.Code != correction.CodeUnreadable || e.Kind != correction.Unavailable):
			t.Errorf("%s: %+v", field, e)
		case want != "" && (e.Code != correction.CodeBeyondBound || e.Kind != correction.Upstream || e.Amount != want):
			t.Errorf("%s: %+v", field, e)
		}
	}
	o, err := reply{status: http.StatusOK, body: []byte(`{"state":"DOING","total_amount":999999999900}`)}.order(correction.Ref{})
	if err != nil || o.Total != 999_999_999_900 {
		t.Errorf("%+v, %v", o, err)
	}
}
