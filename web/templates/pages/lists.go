package pages

import (
	"net/url"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
)

// lookupURL is the look-up of one certain order; it leads on to the order's page.
func lookupURL(r correction.Ref) string {
	q := url.Values{"sub_mchid": {r.SubMchID}, "out_order_no": {r.OutOrderNo}}
	if r.ServiceID != "" {
		q.Set("service_id", r.ServiceID)
	}
	return "/orders?" + q.Encode()
}

// fate is what a list may say about a correction's amount.
type fate int

const (
	fateOpen      fate = iota // asked for; not known to be in force
	fateDone                  // in force
	fateUnchanged             // this correction changed nothing
)

func fateOf(s correction.State) fate {
	switch s {
	case correction.Applied, correction.AppliedLate:
		return fateDone
	case correction.Prepared, correction.Awaiting, correction.Approved, correction.Claimed, correction.Sending, correction.Unknown, correction.NeedsPerson, correction.Resolved:
		return fateOpen // a list does not know what two people found
	}
	return fateUnchanged
}

// weight is the class of the amount that counts in a row: strong when it is in force,
// quiet when not.
func weight(s correction.State) string {
	if fateOf(s) == fateDone {
		return "table__strong"
	}
	return "money--none"
}

// reasonText is a reason in the page's language.
func reasonText(p layout.Page, r correction.Reason) string {
	if t := (i18n.Text{ZH: r.ZH, EN: r.EN}).In(p.Lang); t != "" {
		return t
	}
	return r.Code
}

// merchantLabel is what a merchant is called, by its number when it has no name.
func merchantLabel(s correction.Summary) string {
	if s.MerchantName != "" {
		return s.MerchantName
	}
	return s.Ref.SubMchID
}

func hasMerchant(ms []correction.Merchant, subMchID string) bool {
	for _, m := range ms {
		if m.SubMchID == subMchID {
			return true
		}
	}
	return false
}
