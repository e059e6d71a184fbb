package correction

import (
	"crypto/sha256"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// whyNot is the table of WhyNot without an earlier refusal: for each state and
// description, the collection states "", USER_PAYING, USER_PAID and a foreign one,
// each for a total of 0, a total above 0 and an answer without total.
const whyNot = `
                       ""                            USER_PAYING                     USER_PAID        OTHER
CREATED ""             ns ns ns                      un un un                        pd pd pd         un un un
CREATED USER_CONFIRM   ns ns ns                      un un un                        pd pd pd         un un un
CREATED MCH_COMPLETE   ns ns ns                      un un un                        pd pd pd         un un un
CREATED OTHER          ns ns ns                      un un un                        pd pd pd         un un un
DOING ""               nc nc nc                      un un un                        pd pd pd         un un un
DOING USER_CONFIRM     nc nc nc                      un un un                        pd pd pd         un un un
DOING MCH_COMPLETE     ze un ze                      ze ok un                        pd pd pd         un un un
DOING OTHER            nc nc nc                      un un un                        pd pd pd         un un un
DONE ""                ze pd ze                      ze pd ze                        pd pd pd         ze pd ze
DONE USER_CONFIRM      ze pd ze                      ze pd ze                        pd pd pd         ze pd ze
DONE MCH_COMPLETE      ze pd ze                      ze pd ze                        pd pd pd         ze pd ze
DONE OTHER             ze pd ze                      ze pd ze                        pd pd pd         ze pd ze
REVOKED ""             ca ca ca                      ca ca ca                        ca ca ca         ca ca ca
REVOKED USER_CONFIRM   ca ca ca                      ca ca ca                        ca ca ca         ca ca ca
REVOKED MCH_COMPLETE   ca ca ca                      ca ca ca                        ca ca ca         ca ca ca
REVOKED OTHER          ca ca ca                      ca ca ca                        ca ca ca         ca ca ca
EXPIRED ""             ex ex ex                      ex ex ex                        ex ex ex         ex ex ex
EXPIRED USER_CONFIRM   ex ex ex                      ex ex ex                        ex ex ex         ex ex ex
EXPIRED MCH_COMPLETE   ex ex ex                      ex ex ex                        ex ex ex         ex ex ex
EXPIRED OTHER          ex ex ex                      ex ex ex                        ex ex ex         ex ex ex
OTHER ""               un un un                      un un un                        pd pd pd         un un un
OTHER USER_CONFIRM     un un un                      un un un                        pd pd pd         un un un
OTHER MCH_COMPLETE     un un un                      un un un                        pd pd pd         un un un
OTHER OTHER            un un un                      un un un                        pd pd pd         un un un
"" ""                  un un un                      un un un                        pd pd pd         un un un
`

func TestWhyNot_EveryCombinationOfStates(t *testing.T) {
	t.Parallel()
	short := map[string]Obstacle{"ok": NoObstacle, "ns": NotStarted, "nc": NotCompleted, "pd": Paid, "ca": Cancelled, "ex": Expired, "ze": ZeroOrder, "un": Unrecognised}
	plain := func(s string) string { return strings.Trim(s, `"`) }
	now := time.Unix(1_800_000_000, 0)
	// A refusal changes the answer only where nothing else stands in the way.
	refusals := []struct {
		last *Refusal
		want Obstacle
	}{
		{nil, NoObstacle},
		{&Refusal{At: now}, NoObstacle},
		{&Refusal{Obstacle: Deposit, At: now}, Deposit},
		{&Refusal{Obstacle: Deposit, At: now.Add(-1000 * time.Hour)}, Deposit},
		{&Refusal{Obstacle: Charging, At: now}, Charging},
		{&Refusal{Obstacle: Charging, At: now.Add(-ChargingWait + time.Nanosecond)}, Charging},
		{&Refusal{Obstacle: Charging, At: now.Add(-ChargingWait)}, NoObstacle},
	}
	rows := strings.Split(strings.TrimSpace(whyNot), "\n")
	collections := strings.Fields(rows[0])
	cells := 0
	for _, row := range rows[1:] {
		f := strings.Fields(row)
		if len(f) != 2+3*len(collections) {
			t.Fatalf("row %q", row)
		}
		for i, collection := range collections {
			for j, money := range []struct {
				total Fen
				has   bool
			}{{0, true}, {9900, true}, {0, false}} {
				o := Order{State: plain(f[0]), StateDescription: plain(f[1]), Total: money.total, HasTotal: money.has,
					Collection: Collection{State: plain(collection), Total: money.total}}
				for _, r := range refusals {
					want := short[f[2+3*i+j]]
					if want == NoObstacle {
						want = r.want
					}
					if got := o.WhyNot(r.last, now); got != want {
						t.Errorf("%s %s %s total %d (%v) refusal %+v: %q, want %q", f[0], f[1], collection, money.total, money.has, r.last, got, want)
					}
					cells++
				}
			}
		}
	}
	if cells != 25*4*3*7 {
		t.Errorf("%d cells", cells)
	}
}

func TestWhyNot_OnlyOneCombinationCanBeCorrected(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := genOrder().Draw(t, "order")
		can := o.State == "DOING" && o.StateDescription == "MCH_COMPLETE" && o.Collection.State == "USER_PAYING" && o.HasTotal && o.Total > 0
		if got := o.WhyNot(nil, time.Time{}); (got == NoObstacle) != can {
			t.Fatalf("%+v: %q", o, got)
		}
	})
}

func genOrder() *rapid.Generator[Order] {
	return rapid.Custom(func(t *rapid.T) Order {
		o := payable(Fen(rapid.Int64Range(0, 5).Draw(t, "total")), genLines().Draw(t, "lines"), genLines().Draw(t, "discounts"))
		o.State = rapid.SampledFrom([]string{"CREATED", "DOING", "DOING", "DOING", "DONE", "REVOKED", "EXPIRED", "", "X"}).Draw(t, "state")
		o.StateDescription = rapid.SampledFrom([]string{"", "USER_CONFIRM", "MCH_COMPLETE", "MCH_COMPLETE", "X"}).Draw(t, "description")
		o.Collection.State = rapid.SampledFrom([]string{"", "USER_PAYING", "USER_PAYING", "USER_PAID", "X"}).Draw(t, "collection")
		o.Collection.Total = Fen(rapid.Int64Range(0, 5).Draw(t, "collection total"))
		o.Collection.Paid = Fen(rapid.Int64Range(0, 5).Draw(t, "paid"))
		if o.HasTotal = rapid.IntRange(0, 5).Draw(t, "has total") > 0; !o.HasTotal {
			o.Total = 0
		}
		return o
	})
}

func TestSameMoney_SeesEveryDifferenceThatMatters(t *testing.T) {
	t.Parallel()
	base := func() Order {
		return payable(900, []Line{amountLine("甲", 600), amountLine("乙", 400)}, []Line{amountLine("券", 100)})
	}
	for name, c := range map[string]struct {
		edit func(*Order)
		same bool
	}{
		"nothing":          {func(*Order) {}, true},
		"introduction":     {func(o *Order) { o.Introduction = "x" }, true},
		"order of lines":   {func(o *Order) { o.Lines[0], o.Lines[1] = o.Lines[1], o.Lines[0] }, true},
		"count said":       {func(o *Order) { o.Lines[0].Count = 1 }, true},
		"location":         {func(o *Order) { o.EndLocation = "x" }, true},
		"state":            {func(o *Order) { o.State = OrderDone }, false},
		"description":      {func(o *Order) { o.StateDescription = UserConfirm }, false},
		"collection":       {func(o *Order) { o.Collection.State = UserPaid }, false},
		"total":            {func(o *Order) { o.Total-- }, false},
		"no total":         {func(o *Order) { o.HasTotal = false }, false},
		"collection total": {func(o *Order) { o.Collection.Total-- }, false},
		"line's amount":    {func(o *Order) { o.Lines[0].Amount++ }, false},
		"line's text":      {func(o *Order) { o.Lines[0].Description = "x" }, false},
		"line's count":     {func(o *Order) { o.Lines[0].Count = 2 }, false},
		"line gone":        {func(o *Order) { o.Lines = o.Lines[:1] }, false},
		"discount gone":    {func(o *Order) { o.Discounts = nil }, false},
		"discount changed": {func(o *Order) { o.Discounts[0].Amount++ }, false},
	} {
		o := base()
		c.edit(&o)
		if base().SameMoney(o) != c.same || o.SameMoney(base()) != c.same {
			t.Errorf("%s: SameMoney is not %v both ways", name, c.same)
		}
	}
}

func TestSnapshot_KeepsItsHashThroughStorage(t *testing.T) {
	t.Parallel()
	full := payable(900, []Line{amountLine("<甲>&\u2028", 600), {Name: "乙", Count: 1}}, []Line{{Name: "券", HasAmount: true}})
	full.OrderID, full.Introduction, full.RiskFund = "15646546545165651651", "共享充电宝", RiskFund{Name: "ESTIMATE_ORDER_COST", Amount: 9900}
	full.StartTime, full.EndTime, full.StartLocation, full.EndLocation = "20261123120000", "OnAccept", "甲地", "乙地"
	full.Collection.Payments = []Payment{{Amount: 1, PaidType: "NEWTON", PaidTime: "20261123120000", TransactionID: "1"}}
	check := func(t interface{ Fatalf(string, ...any) }, o Order) {
		blob, hash := o.Snapshot()
		back, err := ParseSnapshot(blob)
		if err != nil {
			t.Fatalf("ParseSnapshot(%s): %v", blob, err)
		}
		if _, again := back.Snapshot(); again != hash {
			t.Fatalf("the hash of %s changed", blob)
		}
		if !back.SameMoney(o) {
			t.Fatalf("%s is another order than %+v", blob, o)
		}
	}
	check(t, full)
	check(t, Order{})
	if blob, _ := full.Snapshot(); true {
		if back, _ := ParseSnapshot(blob); !reflect.DeepEqual(back, full) {
			t.Errorf("%+v became %+v", full, back)
		}
	}
	rapid.Check(t, func(t *rapid.T) { check(t, genOrder().Draw(t, "order")) })
}

// The hash is what forms carry as their base: if the encoding changes, every
// stored base and every open form becomes unknown.
func TestSnapshot_IsByteForByteStable(t *testing.T) {
	t.Parallel()
	o := payable(900, []Line{{Name: "甲", Description: "<说明>", Amount: 1000, HasAmount: true, Count: 2}}, []Line{amountLine("券", 100)})
	o.OrderID, o.Introduction, o.RiskFund = "156", "充电宝", RiskFund{Name: "ADVANCE", Amount: 9900}
	o.StartTime, o.EndTime, o.StartLocation, o.EndLocation = "20261123120000", "20261123130000", "甲地", "乙地"
	o.Collection.Payments = []Payment{{Amount: 1, PaidType: "MCH", PaidTime: "20261123140000", TransactionID: "4200"}}
	o.Collection.Paid = 1
	const want = `{"sub_mchid":"1900000109","service_id":"2002000000000558128851361561536","out_order_no":"1234323JKHDFE1243252",` +
		`"order_id":"156","introduction":"充电宝","state":"DOING","state_description":"MCH_COMPLETE",` +
		`"lines":[{"name":"甲","description":"\u003c说明\u003e","amount":1000,"has_amount":true,"count":2}],` +
		`"discounts":[{"name":"券","amount":100,"has_amount":true}],"risk_fund":{"name":"ADVANCE","amount":9900},"total":900,"has_total":true,` +
		`"collection":{"state":"USER_PAYING","total":900,"paying":900,"paid":1,` +
		`"payments":[{"amount":1,"paid_type":"MCH","paid_time":"20261123140000","transaction_id":"4200"}]},` +
		`"start_time":"20261123120000","end_time":"20261123130000","start_location":"甲地","end_location":"乙地"}`
	blob, hash := o.Snapshot()
	if string(blob) != want {
		t.Errorf("snapshot\n%s\nwant\n%s", blob, want)
	}
	if hash != sha256.Sum256([]byte(want)) {
		t.Error("the hash is not that of the snapshot")
	}
}

func TestParseSnapshot_RefusesDamage(t *testing.T) {
	t.Parallel()
	for _, blob := range []string{"", "{", `{"total":1.5}`, `{"total":"1"}`, `[]`} {
		if _, err := ParseSnapshot([]byte(blob)); err == nil {
			t.Errorf("ParseSnapshot(%q) is accepted", blob)
		}
	}
}

func TestOrderNumbers_AreWhatWeChatAllows(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"A": true, "1234323JKHDFE1243252": true, "a_b-c|d*1": true, strings.Repeat("9", 32): true, strings.Repeat("9", 33): false,
		"": false, "a b": false, "a/b": false, "a.b": false, "a%2Fb": false, "a?b": false, "a#b": false, "订单": false, "a\n": false, "\na": false, "１": false, "..": false,
	} {
		if got := ValidOrderNo(s); got != want {
			t.Errorf("ValidOrderNo(%q) = %v", s, got)
		}
	}
	for s, want := range map[string]bool{"1900000109": true, strings.Repeat("1", 32): true, strings.Repeat("1", 33): false, "": false, "a": false, "1\n": false, "-1": false} {
		if got := ValidMchID(s); got != want {
			t.Errorf("ValidMchID(%q) = %v", s, got)
		}
	}
	for s, want := range map[string]bool{"500001": true, "abcDEF123": true, strings.Repeat("1", 33): false, "": false, "a_b": false, "1\n": false} {
		if got := ValidServiceID(s); got != want {
			t.Errorf("ValidServiceID(%q) = %v", s, got)
		}
	}
}
