package pages

import (
	"slices"
	"strconv"
	"time"

	"correction-console/internal/correction"
)

// version is the order at one time: its values stand in the order of versionRows.
type version struct {
	title  string
	values []string
}

func (p CorrectionProps) versionRows() []string {
	t := p.Page.T
	return []string{t("应收", "Total"), t("行数", "Lines"), t("优惠", "Discounts"), t("支付", "Payment"), t("读取时间", "Read at")}
}

// versions are the order as it was, as it was to be, and as it was read last.
func (p CorrectionProps) versions() []version {
	order := func(title string, o correction.Order, at time.Time) version {
		return version{title, []string{o.Total.String(), strconv.Itoa(len(o.Lines)), strconv.Itoa(len(o.Discounts)), collectionWord(p.Page, o), p.Page.Stamp(at)}}
	}
	list := []version{
		order(p.Page.T("改前", "Before"), p.C.Base, p.C.PreparedAt),
		{p.Page.T("想改成", "Intended"), []string{money(p.Page, p.Request.Total), strconv.Itoa(len(p.Request.Lines)), strconv.Itoa(len(p.Request.Discounts)), "—", "—"}},
	}
	after := p.Page.T("最近一次读取", "Last reading")
	if o, at := p.C.LastReading(); o != nil {
		return append(list, order(after, *o, at))
	}
	none := p.Page.T("还没有读取", "not read yet")
	return append(list, version{after, []string{none, "—", "—", "—", "—"}})
}

// flags are why the correction is to be looked at, known when it was confirmed.
func (p CorrectionProps) flags() []correction.Flag {
	if e, ok := p.C.Find(correction.Claimed); ok {
		return e.Detail.Flags
	}
	return nil
}

func (p CorrectionProps) exchanged() bool { return slices.ContainsFunc(p.C.Events, exchanged) }

func msTime(ms int64) time.Time { return time.UnixMilli(ms) }

func numberOrDash(n int64) string {
	if n == 0 {
		return "—"
	}
	return strconv.FormatInt(n, 10)
}
