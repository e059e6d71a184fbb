package correction

import (
	"strconv"
	"strings"
)

// Limits of domain.md §1.1, in characters (code points) and items.
const (
	MaxLines       = 100
	MaxDiscounts   = 30
	MaxName        = 20
	MaxDescription = 30
	MaxReason      = 50
	MaxDeviceID    = 50
	MaxMateriel    = 100
	MaxCount       = 100
	MaxTicket      = 64   // ours
	MaxNote        = 1000 // ours
)

// RepeatableName is the one line name that may occur more than once in an order.
const RepeatableName = "商品信息"

// FormLine is one row of the editor, as typed. Index is the number in the field
// names (post_payments.N.name); an index below the number of the order's lines
// stands for that line of the order.
type FormLine struct {
	Index                            int
	Name, Amount, Count, Description string
}

// Empty reports whether nothing was typed in the row.
func (l FormLine) Empty() bool {
	return TrimBlank(l.Name) == "" && TrimBlank(l.Amount) == "" && TrimBlank(l.Count) == "" && TrimBlank(l.Description) == ""
}

// Form is a correction as typed, field by field (product.md §6).
type Form struct {
	Lines, Discounts []FormLine
	Device           Device
	Total            string // read only when no line has an amount
	ReasonCode       string
	Reason           string
	Ticket           string
	Note             string
	Base             string // hash of the order that was shown, hex
	First            string // hash of the order that it was first filled in on, if that has changed since
	NoDevice         bool   // the agent ticked that the device ids stay empty
}

// FormOf is the form for an order: its live lines, so that what is not touched is
// sent again unchanged.
func FormOf(o Order, d Device) Form {
	return Form{Lines: rowsOf(o.Lines), Discounts: rowsOf(o.Discounts), Device: d}
}

func rowsOf(lines []Line) []FormLine {
	var out []FormLine
	for i, l := range lines {
		f := FormLine{Index: i, Name: l.Name, Description: l.Description}
		if l.HasAmount {
			f.Amount = l.Amount.Yuan()
		}
		if l.Count != 0 {
			f.Count = strconv.Itoa(l.Count)
		}
		out = append(out, f)
	}
	return out
}

// Notice is a problem or a warning at a field. Field is the API name of the form
// field ("post_payments.0.amount"), or "post_payments" for the list as a whole.
type Notice struct {
	Field  string
	Code   string
	Limit  int      // characters or items allowed
	Count  int      // characters or items there are
	Text   string   // a name, a character, a value to quote
	Names  []string // names to choose from
	Amount Fen      // an amount to quote
}

// AmountUnread reports a problem that leaves the amount of a row unknown, and with it the
// total.
func (n Notice) AmountUnread() bool {
	return strings.HasSuffix(n.Field, ".amount") && n.Code != BadContent && n.Code != BadAlone
}
