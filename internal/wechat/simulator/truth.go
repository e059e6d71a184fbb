package simulator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"correction-console/internal/correction"
)

// Order is an order as this WeChat knows it. The fields beside correction.Order
// cannot be seen in a query, or do not matter to the console.
type Order struct {
	correction.Order
	Charging bool           // the customer is being charged at this moment
	Deposit  bool           // the customer left a deposit: cannot be modified
	Cap      correction.Fen // of the service; 0 = none
	Attach   string
}

func (o Order) clone() Order {
	o.Lines, o.Discounts = slices.Clone(o.Lines), slices.Clone(o.Discounts)
	o.Collection.Payments = slices.Clone(o.Collection.Payments)
	return o
}

type key struct{ subMchID, outOrderNo string }

func (o Order) key() key { return key{o.SubMchID, o.OutOrderNo} }

// entry is one order with how it was at first and what happened to it.
type entry struct {
	order, initial Order
	last           time.Time // of the newest modify call, for MinGap
}

// Put adds or replaces an order.
func (s *Server) Put(o Order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.orders[o.key()] == nil {
		s.sequence = append(s.sequence, o.key())
	}
	s.orders[o.key()] = &entry{order: o.clone(), initial: o.clone()}
}

// Order returns an order as it is now.
func (s *Server) Order(subMchID, outOrderNo string) (Order, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.orders[key{subMchID, outOrderNo}]
	if e == nil {
		return Order{}, false
	}
	return e.order.clone(), true
}

// Orders returns all orders in the sequence in which they were put.
func (s *Server) Orders() []Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Order
	for _, k := range s.sequence {
		out = append(out, s.orders[k].order.clone())
	}
	return out
}

// Posts counts the modify requests for an order number that arrived, whatever
// became of them.
func (s *Server) Posts(outOrderNo string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.posts[outOrderNo]
}

// Queries counts the queries for an order number that arrived.
func (s *Server) Queries(outOrderNo string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queries[outOrderNo]
}

// Applied counts the modify requests for an order number that took effect.
func (s *Server) Applied(outOrderNo string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applied[outOrderNo]
}

// LastBody is the body of the newest modify request that arrived for the number.
func (s *Server) LastBody(outOrderNo string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.bodies[outOrderNo])
}

// Requests counts everything that arrived, other paths included.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// SetNow replaces the clock.
func (s *Server) SetNow(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = now
}

func (s *Server) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock()
}

// SetMinGap makes modify calls for one order refused that come closer together
// than d. WeChat does so below one second; it is off unless set.
func (s *Server) SetMinGap(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.minGap = d
}

func (s *Server) change(subMchID, outOrderNo string, f func(*entry) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.orders[key{subMchID, outOrderNo}]
	if e == nil {
		return fmt.Errorf("change order: there is no %s of %s", outOrderNo, subMchID)
	}
	return f(e)
}

// Pay lets the customer pay an order that is to be paid.
func (s *Server) Pay(subMchID, outOrderNo string) error {
	return s.change(subMchID, outOrderNo, func(e *entry) error { return e.pay(s.clock()) })
}

func (e *entry) pay(now time.Time) error {
	o := &e.order
	if !o.Completed() {
		return fmt.Errorf("pay order: it is %s %s", o.State, o.StateDescription)
	}
	o.Charging = false
	paid(o, now)
	return nil
}

func paid(o *Order, at time.Time) {
	o.State, o.StateDescription = correction.OrderDone, ""
	o.Collection.State = correction.UserPaid
	o.Collection.Paid, o.Collection.Paying, o.Collection.Total = o.Total, 0, o.Total
	o.Collection.Payments = []correction.Payment{{
		Amount: o.Total, PaidType: "NEWTON", PaidTime: stamp(at), TransactionID: "42000" + at.UTC().Format("20060102150405") + "0000000001",
	}}
}

// LowerElsewhere lowers an order as another system of the merchant would: lines
// with amounts are cut from the last on until they say the new total.
func (s *Server) LowerElsewhere(subMchID, outOrderNo string, total correction.Fen) error {
	return s.change(subMchID, outOrderNo, func(e *entry) error { return e.lower(total) })
}

func (e *entry) lower(total correction.Fen) error {
	o := &e.order
	if !o.Completed() || total < 0 || total >= o.Total {
		return fmt.Errorf("lower order: %s is not below %s, or it is not to be paid", total, o.Total)
	}
	cut := o.Total - total
	for i := len(o.Lines) - 1; i >= 0 && cut > 0; i-- {
		d := min(cut, o.Lines[i].Amount)
		o.Lines[i].Amount -= d
		cut -= d
	}
	o.setTotal(total)
	return nil
}

func (o *Order) setTotal(total correction.Fen) {
	o.Total, o.Collection.Total, o.Collection.Paying = total, total, total
}

// SetCharging says whether the customer is being charged for an order, during
// which it cannot be modified.
func (s *Server) SetCharging(subMchID, outOrderNo string, charging bool) error {
	return s.change(subMchID, outOrderNo, func(e *entry) error {
		e.order.Charging = charging
		return nil
	})
}

// Reset makes an order what it was when it was put. What arrived stays counted.
func (s *Server) Reset(subMchID, outOrderNo string) error {
	return s.change(subMchID, outOrderNo, func(e *entry) error {
		e.order, e.last = e.initial.clone(), time.Time{}
		return nil
	})
}

var beijing = time.FixedZone("Beijing", 8*60*60)

// stamp is a time as the API writes it.
func stamp(t time.Time) string { return t.In(beijing).Format("20060102150405") }

// wire is an order as the query answers it (domain.md §3.1).
func (o Order) wire() map[string]any {
	m := map[string]any{
		"out_order_no": o.OutOrderNo, "service_id": o.ServiceID, "appid": "wx0000000000000001", "mchid": MchID, "sub_mchid": o.SubMchID,
		"service_introduction": o.Introduction, "state": o.State, "need_collection": true, "notify_url": "https://notify.example.com/payscore",
		"openid": "oSimulated0000000000000000001",
	}
	put := func(m map[string]any, name, value string) {
		if value != "" {
			m[name] = value
		}
	}
	put(m, "state_description", o.StateDescription)
	put(m, "order_id", o.OrderID)
	put(m, "attach", o.Attach)
	if len(o.Lines) > 0 {
		m["post_payments"] = wireLines(o.Lines)
	}
	if len(o.Discounts) > 0 {
		m["post_discounts"] = wireLines(o.Discounts)
	}
	if o.RiskFund.Name != "" {
		m["risk_fund"] = map[string]any{"name": o.RiskFund.Name, "amount": o.RiskFund.Amount, "description": "按约定收取"}
	}
	if o.HasTotal {
		m["total_amount"] = o.Total
	}
	if c := o.Collection; c.State != "" {
		w := map[string]any{"state": c.State, "total_amount": c.Total, "paying_amount": c.Paying, "paid_amount": c.Paid}
		var details []any
		for i, p := range c.Payments {
			details = append(details, map[string]any{
				"seq": i + 1, "amount": p.Amount, "paid_type": p.PaidType, "paid_time": p.PaidTime, "transaction_id": p.TransactionID,
			})
		}
		if details != nil {
			w["details"] = details
		}
		m["collection"] = w
	}
	at := map[string]any{}
	put(at, "start_time", o.StartTime)
	put(at, "end_time", o.EndTime)
	if len(at) > 0 {
		m["time_range"] = at
	}
	where := map[string]any{}
	put(where, "start_location", o.StartLocation)
	put(where, "end_location", o.EndLocation)
	if len(where) > 0 {
		m["location"] = where
	}
	return m
}

func wireLines(lines []correction.Line) []any {
	var out []any
	for _, l := range lines {
		m := map[string]any{"name": l.Name, "count": max(1, l.Count)} // an absent count is reported as 1
		if l.Description != "" {
			m["description"] = l.Description
		}
		if l.HasAmount {
			m["amount"] = l.Amount
		}
		out = append(out, m)
	}
	return out
}

func trimNo(path, suffix string) (string, bool) {
	rest, ok := strings.CutPrefix(path, ordersPath+"/")
	if !ok {
		return "", false
	}
	no, ok := strings.CutSuffix(rest, suffix)
	return no, ok && !strings.Contains(no, "/")
}
