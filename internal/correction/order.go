package correction

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Line is one item of an order: a post_payments line, or a post_discounts
// discount, which has the same four fields. Amount is the line's total; Count is
// shown to the customer and multiplies nothing (domain.md §2).
type Line struct {
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
	Amount      Fen    `json:"amount,omitempty"`
	HasAmount   bool   `json:"has_amount,omitempty"` // industries without line amounts send none
	Count       int    `json:"count,omitempty"`      // 0 = not sent, which WeChat reads as 1
}

// normalised is the form in which two lines are compared: WeChat reports an
// absent count as 1.
func (l Line) normalised() Line {
	if l.Count == 0 {
		l.Count = 1
	}
	if !l.HasAmount {
		l.Amount = 0
	}
	return l
}

// Same reports whether two lines say the same to WeChat.
func (l Line) Same(m Line) bool { return l.normalised() == m.normalised() }

// SameLines reports whether two lists hold the same lines, in any order.
func SameLines(a, b []Line) bool {
	if len(a) != len(b) {
		return false
	}
	left := slices.Clone(b)
	for _, l := range a {
		i := slices.IndexFunc(left, l.Same)
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return true
}

// Values of Order.State, Order.StateDescription and Collection.State
// (domain.md §3.1).
const (
	OrderCreated = "CREATED"
	OrderDoing   = "DOING"
	OrderDone    = "DONE"
	OrderRevoked = "REVOKED"
	OrderExpired = "EXPIRED"

	UserConfirm = "USER_CONFIRM"
	MchComplete = "MCH_COMPLETE"

	UserPaying = "USER_PAYING"
	UserPaid   = "USER_PAID"
)

// Order is a service order as WeChat reported it in one verified answer.
type Order struct {
	SubMchID         string     `json:"sub_mchid"`
	ServiceID        string     `json:"service_id"`
	OutOrderNo       string     `json:"out_order_no"`
	OrderID          string     `json:"order_id,omitempty"` // WeChat's own number
	Introduction     string     `json:"introduction,omitempty"`
	State            string     `json:"state"`
	StateDescription string     `json:"state_description,omitempty"`
	Lines            []Line     `json:"lines,omitempty"`
	Discounts        []Line     `json:"discounts,omitempty"`
	RiskFund         RiskFund   `json:"risk_fund"`
	Total            Fen        `json:"total"`
	HasTotal         bool       `json:"has_total"`
	Collection       Collection `json:"collection"`
	StartTime        string     `json:"start_time,omitempty"` // yyyyMMddHHmmss Beijing, or free text as sent at creation
	EndTime          string     `json:"end_time,omitempty"`
	StartLocation    string     `json:"start_location,omitempty"`
	EndLocation      string     `json:"end_location,omitempty"`
}

// RiskFund tells the ceiling of an order in 先免 mode.
type RiskFund struct {
	Name   string `json:"name,omitempty"`
	Amount Fen    `json:"amount,omitempty"`
}

// Collection is how far the money of a completed order has been collected.
// State is empty when WeChat reported no collection (completed at 0, or not
// completed).
type Collection struct {
	State    string    `json:"state,omitempty"`
	Total    Fen       `json:"total,omitempty"`
	Paying   Fen       `json:"paying,omitempty"`
	Paid     Fen       `json:"paid,omitempty"`
	Payments []Payment `json:"payments,omitempty"`
}

// Payment is one collection.details entry.
type Payment struct {
	Amount        Fen    `json:"amount"`
	PaidType      string `json:"paid_type,omitempty"` // NEWTON: via Pay Score, MCH: reported by the merchant
	PaidTime      string `json:"paid_time,omitempty"` // yyyyMMddHHmmss, Beijing
	TransactionID string `json:"transaction_id,omitempty"`
}

// Completed reports whether the order is the one kind that can be corrected:
// completed by the merchant, not yet paid (domain.md §1.4).
func (o Order) Completed() bool {
	return o.State == OrderDoing && o.StateDescription == MchComplete && o.Collection.State == UserPaying
}

// Paid reports whether the customer has paid.
func (o Order) Paid() bool { return o.Collection.State == UserPaid }

// SameMoney reports whether two readings agree in everything that a correction
// rests on: the states, the totals and the lines.
func (o Order) SameMoney(p Order) bool {
	return o.State == p.State && o.StateDescription == p.StateDescription &&
		o.Collection.State == p.Collection.State &&
		o.HasTotal == p.HasTotal && o.Total == p.Total && o.Collection.Total == p.Collection.Total &&
		SameLines(o.Lines, p.Lines) && SameLines(o.Discounts, p.Discounts)
}

// AnyAmount reports whether some line carries an amount; if none does, the
// total stands alone (product.md §4.3).
func AnyAmount(lines []Line) bool {
	return slices.ContainsFunc(lines, func(l Line) bool { return l.HasAmount })
}

// Beyond is the first amount of the order that lies outside of what is read, typed and
// stored (product.md §4.17): the total, a line or a discount. ok is false when there is
// none.
func (o Order) Beyond() (amount Fen, ok bool) {
	amounts := []Fen{o.Total, o.Collection.Total}
	for _, l := range slices.Concat(o.Lines, o.Discounts) {
		amounts = append(amounts, l.Amount)
	}
	for _, a := range amounts {
		if a < 0 || a > MaxAmount {
			return a, true
		}
	}
	return 0, false
}

func (o Order) beyondBound() bool {
	_, beyond := o.Beyond()
	return beyond
}

// Snapshot is the order's stored form and its SHA-256. The hash is what a form
// carries as "base".
func (o Order) Snapshot() (blob []byte, hash [32]byte) {
	blob, err := json.Marshal(o)
	if err != nil { // only strings, ints and slices of them: cannot fail
		panic(err)
	}
	return blob, sha256.Sum256(blob)
}

// ParseSnapshot reads what Snapshot wrote.
func ParseSnapshot(blob []byte) (Order, error) {
	var o Order
	if err := json.Unmarshal(blob, &o); err != nil {
		return Order{}, fmt.Errorf("read order snapshot: %w", err)
	}
	return o, nil
}

var (
	orderNoPattern = regexp.MustCompile(`^[0-9A-Za-z_\-|*]{1,32}$`)
	mchIDPattern   = regexp.MustCompile(`^[0-9]{1,32}$`)
	servicePattern = regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`)
)

// ValidOrderNo reports whether s can be a merchant's service order number
// (domain.md §1.1).
func ValidOrderNo(s string) bool { return orderNoPattern.MatchString(s) }

// ValidMchID reports whether s can be a sub-merchant number.
func ValidMchID(s string) bool { return mchIDPattern.MatchString(s) }

// ValidServiceID reports whether s can be a service id.
func ValidServiceID(s string) bool { return servicePattern.MatchString(s) }

// Obstacle is why an order cannot be corrected; empty when it can.
type Obstacle string

// Obstacles. Charging and Deposit cannot be seen in a query: they are known only
// from WeChat's refusal of an earlier correction (domain.md §1.4).
const (
	NoObstacle   Obstacle = ""
	NotStarted   Obstacle = "not_started"   // the customer has not confirmed the order
	NotCompleted Obstacle = "not_completed" // the service is running
	Paid         Obstacle = "paid"
	Charging     Obstacle = "charging"
	Cancelled    Obstacle = "cancelled"
	Expired      Obstacle = "expired"
	Deposit      Obstacle = "deposit"
	ZeroOrder    Obstacle = "zero"
	AlreadyLower Obstacle = "already_lower" // at or below the intended total
	BeyondBound  Obstacle = "beyond_bound"  // an amount of it is above MaxAmount
	Unrecognised Obstacle = "unrecognised"  // a state that WeChat's documents do not name
)

// Obstacles lists every obstacle, for pages and tests that cover them all.
var Obstacles = []Obstacle{NotStarted, NotCompleted, Paid, Charging, Cancelled, Expired, Deposit, ZeroOrder, AlreadyLower, BeyondBound, Unrecognised}

// ChargingWait is how long WeChat asks to wait while it is charging the customer
// (domain.md §1.4: 3 min).
const ChargingWait = 3 * time.Minute

// Refusal is what WeChat said last when it refused a correction of an order.
type Refusal struct {
	Obstacle Obstacle // Charging or Deposit; empty for others
	At       time.Time
}

// WhyNot tells why the order cannot be corrected now; last is the newest refusal
// known for it, or nil.
func (o Order) WhyNot(last *Refusal, now time.Time) Obstacle {
	switch {
	case o.State == OrderRevoked:
		return Cancelled
	case o.State == OrderExpired:
		return Expired
	case o.State == OrderDone || o.Paid():
		if o.State == OrderDone && !o.Paid() && o.Total == 0 {
			return ZeroOrder
		}
		return Paid
	case o.State == OrderCreated && o.Collection.State == "":
		return NotStarted
	case o.State == OrderDoing && o.StateDescription != MchComplete && o.Collection.State == "":
		return NotCompleted
	case o.State == OrderDoing && o.StateDescription == MchComplete && o.Collection.State == "" && o.Total == 0,
		o.Completed() && o.HasTotal && o.Total == 0:
		return ZeroOrder
	case !o.Completed() || !o.HasTotal:
		return Unrecognised
	case o.beyondBound():
		return BeyondBound
	case last != nil && last.Obstacle == Deposit:
		return Deposit
	case last != nil && last.Obstacle == Charging && now.Before(last.At.Add(ChargingWait)):
		return Charging
	}
	return NoObstacle
}
