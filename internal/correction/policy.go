package correction

import "time"

// Merchant is a sub-merchant whose orders the console may touch.
type Merchant struct {
	SubMchID string
	Name     string
}

// Offering is a Pay Score service (service_id) with what the console knows about
// it. The zero value is a service that nobody has described: no cap known, no
// industry, zero not allowed.
type Offering struct {
	ServiceID string
	Name      string
	Industry  string // code of an Industry, or empty
	Cap       Fen    // the service's risk cap, 0 = not known
	AllowZero bool   // a correction to 0 is allowed (product.md §4.4)
}

// Reason is one reason code with its words. It is frozen by value into each
// correction.
type Reason struct {
	Code      string
	ZH, EN    string
	Outgoing  string // composed text for WeChat, Chinese; empty = must be written
	NeedsNote bool
	Retired   bool `json:",omitempty"` // no longer to be chosen; old corrections show it
}

// DefaultReasons are the reasons that agents choose from.
var DefaultReasons = []Reason{
	{Code: "device_fault", ZH: "设备故障", EN: "Device fault", Outgoing: "经核实设备计费异常，已按实际使用情况调整金额。"},
	{Code: "timing", ZH: "计时有误", EN: "Wrong duration", Outgoing: "经核实使用时长有误，已按实际时长调整金额。"},
	{Code: "not_taken", ZH: "商品未取", EN: "Goods not taken", Outgoing: "经核实部分商品未取走，已减去相应费用。"},
	{Code: "double_charge", ZH: "重复计价", EN: "Charged twice", Outgoing: "经核实存在重复计价，已减去多计的费用。"},
	{Code: "complaint", ZH: "客户投诉协商", EN: "Complaint settled", Outgoing: "根据您的反馈，已为您调整订单金额。"},
	{Code: "other", ZH: "其他", EN: "Other", NeedsNote: true},
}

// FindReason returns the reason with the code.
func FindReason(reasons []Reason, code string) (Reason, bool) {
	for _, r := range reasons {
		if r.Code == code {
			return r, true
		}
	}
	return Reason{}, false
}

// Policy holds the settings that decide about a correction.
type Policy struct {
	// TypeAbovePermille asks to type the new total when more than this share of
	// the order is given up, in thousandths; going to zero always asks
	// (product.md §4.12).
	TypeAbovePermille int
	ConfirmWithin     time.Duration // life of a confirmation
	Quiet             time.Duration // before "not applied" may be said
	Recheck           time.Duration // before the first look at an uncertain correction
	FollowFor         time.Duration // before an unpaid order is left alone
	Reasons           []Reason
}

// DefaultPolicy is the policy of a new installation.
func DefaultPolicy() Policy {
	return Policy{
		TypeAbovePermille: 500, ConfirmWithin: 10 * time.Minute, Quiet: QuietTime, Recheck: time.Second, FollowFor: 30 * 24 * time.Hour,
		Reasons: DefaultReasons,
	}
}

// AsksTotal reports whether the new total must be typed to confirm.
func (p Policy) AsksTotal(base, target Fen) bool {
	return target == 0 || int64(base-target)*1000 > int64(p.TypeAbovePermille)*int64(base)
}
