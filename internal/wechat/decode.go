package wechat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"correction-console/internal/correction"
)

// Limits of an order that is believed. They lie far above the documented ones and
// keep arithmetic and pages in bounds. An amount up to maxFen is shown, though none
// above correction.MaxAmount is corrected; one beyond it is named and nothing else.
const (
	maxText  = 1024
	maxItems = 1000
	maxDepth = 16
	maxFen   = 100 * correction.MaxAmount
)

// decodeOrder reads a verified answer to a query. It takes what WeChat's documents
// disagree about (domain.md §0.2): a list or a single object, a number or a numeric
// string; unknown fields are ignored. It refuses what could be read in two ways,
// and an answer for another order than the one asked for. A number that the answer
// leaves out is filled in from the question.
func decodeOrder(body []byte, ref correction.Ref) (correction.Order, error) {
	root, err := parse(body)
	if err != nil {
		return correction.Order{}, fmt.Errorf("read order: %w", err)
	}
	r := &reader{}
	o := correction.Order{
		SubMchID:         r.text(root, "sub_mchid"),
		ServiceID:        r.text(root, "service_id"),
		OutOrderNo:       r.text(root, "out_order_no"),
		OrderID:          r.text(root, "order_id"),
		Introduction:     r.text(root, "service_introduction"),
		State:            r.text(root, "state"),
		StateDescription: r.text(root, "state_description"),
		Lines:            r.lines(root, "post_payments"),
		Discounts:        r.lines(root, "post_discounts"),
	}
	o.Total, o.HasTotal = r.fen(root, "total_amount")
	if fund := r.object(root, "risk_fund"); fund != nil {
		o.RiskFund.Name = r.text(fund, "name")
		o.RiskFund.Amount, _ = r.fen(fund, "amount")
	}
	if c := r.object(root, "collection"); c != nil {
		o.Collection.State = r.text(c, "state")
		var stated bool
		if o.Collection.Total, stated = r.fen(c, "total_amount"); !stated {
			o.Collection.Total = o.Total // the field is optional (domain.md §3.1)
		}
		o.Collection.Paying, _ = r.fen(c, "paying_amount")
		o.Collection.Paid, _ = r.fen(c, "paid_amount")
		for _, d := range r.objects(c, "details") {
			p := correction.Payment{PaidType: r.text(d, "paid_type"), PaidTime: r.text(d, "paid_time"), TransactionID: r.text(d, "transaction_id")}
			p.Amount, _ = r.fen(d, "amount")
			o.Collection.Payments = append(o.Collection.Payments, p)
		}
		if o.Collection.State == "" {
			r.fail("collection", "has no state")
		}
	}
	if t := r.object(root, "time_range"); t != nil {
		o.StartTime, o.EndTime = r.text(t, "start_time"), r.text(t, "end_time")
	}
	if l := r.object(root, "location"); l != nil {
		o.StartLocation, o.EndLocation = r.text(l, "start_location"), r.text(l, "end_location")
	}
	if o.State == "" {
		r.fail("state", "is missing")
	}
	if r.err != nil {
		return correction.Order{}, fmt.Errorf("read order: %w", r.err)
	}
	for _, id := range []struct {
		got  *string
		want string
		must bool // another value means another order
	}{{&o.OutOrderNo, ref.OutOrderNo, true}, {&o.SubMchID, ref.SubMchID, true}, {&o.ServiceID, ref.ServiceID, false}} {
		if *id.got == "" {
			*id.got = id.want
		}
		if id.must && *id.got != id.want {
			return correction.Order{}, errors.New("read order: the answer is for another order")
		}
	}
	return o, nil
}

// reader takes typed fields out of parsed objects and keeps the first fault.
type reader struct{ err error }

func (r *reader) fail(name, what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s %s", name, what)
	}
}

func (r *reader) text(o map[string]any, name string) string {
	switch v := o[name].(type) {
	case nil:
	case string:
		if utf8.RuneCountInString(v) <= maxText {
			return v
		}
		r.fail(name, "is too long")
	default:
		r.fail(name, "is no text")
	}
	return ""
}

// integer reads a whole number in [0, limit], also from a string of digits.
func (r *reader) integer(o map[string]any, name string, limit int64) (int64, bool) {
	var digits string
	switch v := o[name].(type) {
	case nil:
		return 0, false
	case json.Number:
		digits = v.String()
	case string:
		if v == "" {
			return 0, false
		}
		digits = v
	default:
		r.fail(name, "is no number")
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || int64(n) > limit {
		r.fail(name, "is no whole number within bounds")
		return 0, false
	}
	return int64(n), true
}

// amountError is an amount that no order can have.
type amountError struct{ amount string } // in words for people

func (e *amountError) Error() string { return "the amount " + e.amount + " is out of bounds" }

func (r *reader) fen(o map[string]any, name string) (correction.Fen, bool) {
	if r.err == nil {
		if text, ok := beyond(o[name]); ok {
			r.err = fmt.Errorf("%s: %w", name, &amountError{text})
			return 0, false
		}
	}
	n, ok := r.integer(o, name, int64(maxFen))
	return correction.Fen(n), ok
}

// beyond tells whether v is a whole number that is negative or above maxFen, and
// names it.
func beyond(v any) (text string, ok bool) {
	var digits string
	switch v := v.(type) {
	case json.Number:
		digits = v.String()
	case string:
		digits = v
	}
	if text, ok = correction.WholeFen(digits); !ok {
		return "", false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return text, err != nil || n < 0 || n > int64(maxFen)
}

func (r *reader) object(o map[string]any, name string) map[string]any {
	switch v := o[name].(type) {
	case nil:
	case map[string]any:
		return v
	default:
		r.fail(name, "is no object")
	}
	return nil
}

func (r *reader) objects(o map[string]any, name string) []map[string]any {
	switch v := o[name].(type) {
	case nil:
	case map[string]any:
		return []map[string]any{v}
	case []any:
		if len(v) > maxItems {
			r.fail(name, "is too long")
			return nil
		}
		var out []map[string]any
		for _, x := range v {
			m, ok := x.(map[string]any)
			if !ok {
				r.fail(name, "holds something else than objects")
				return nil
			}
			out = append(out, m)
		}
		return out
	default:
		r.fail(name, "is no list")
	}
	return nil
}

func (r *reader) lines(o map[string]any, name string) []correction.Line {
	var out []correction.Line
	for _, m := range r.objects(o, name) {
		l := correction.Line{Name: r.text(m, "name"), Description: r.text(m, "description")}
		l.Amount, l.HasAmount = r.fen(m, "amount")
		n, _ := r.integer(m, "count", math.MaxInt32)
		l.Count = int(n)
		out = append(out, l)
	}
	return out
}

// parse reads one JSON object. Two keys of an object that differ in nothing but
// case are refused: readers do not agree which of them counts.
func parse(body []byte) (map[string]any, error) {
	if !json.Valid(body) { // also refuses anything behind the value
		return nil, errors.New("not JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	v, err := value(dec, 0)
	if err != nil {
		return nil, err
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	return o, nil
}

func value(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("nested too deeply")
	}
	t, err := dec.Token()
	if err != nil {
		return nil, errors.New("not JSON")
	}
	switch t {
	case json.Delim('{'):
		o := map[string]any{}
		seen := map[string]bool{}
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil, errors.New("not JSON")
			}
			name, _ := key.(string)
			folded := strings.ToLower(name)
			if seen[folded] {
				return nil, errors.New("a key occurs twice")
			}
			seen[folded] = true
			if o[name], err = value(dec, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := dec.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			x, err := value(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, x)
		}
		_, err := dec.Token()
		return list, err
	}
	return t, nil
}
