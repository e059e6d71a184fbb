package layout

import (
	"strconv"

	"correction-console/internal/i18n"
)

// heading is the page's title with the number of its problems in front and the
// product behind.
func (p Page) heading() string {
	t := p.Title
	if t == "" {
		t = i18n.ProductName.In(p.Lang)
	} else {
		t += " · " + i18n.ProductName.In(p.Lang)
	}
	switch {
	case p.Problems == 1:
		return p.T("1 个问题 · ", "1 problem · ") + t
	case p.Problems > 1:
		return strconv.Itoa(p.Problems) + p.T(" 个问题 · ", " problems · ") + t
	}
	return t
}

// zoneNote says in which zone times are shown.
func (p Page) zoneNote() string {
	switch p.Zone.String() {
	case "Asia/Shanghai", "Asia/Chongqing", "PRC":
		return p.T("时间均为北京时间", "All times are Beijing time")
	}
	return p.F("时间按 %s 时区", "All times are in zone %s", p.Zone.String())
}

// other is the other language, and its name in itself.
func (p Page) other() (tag i18n.Lang, name string) {
	if p.Lang == i18n.EN {
		return i18n.ZH, "中文"
	}
	return i18n.EN, "English"
}

func (p Page) mainClass() string {
	if p.Narrow {
		return "page page--narrow"
	}
	return "page"
}

// next is where a switch returns to.
func (p Page) next() string {
	if p.Path == "" {
		return "/"
	}
	return p.Path
}

type navItem struct {
	name, href, text string
	count            int // shown as a badge when it is not 0
}

// nav lists the main navigation of the person.
func (p Page) nav() []navItem {
	items := []navItem{{NavMine, "/", p.T("我的", "Mine"), 0}}
	if p.User.Queues {
		items = append(items, navItem{NavApprovals, "/approvals", p.T("审批", "Approvals"), p.User.Waiting})
	}
	if p.User.CanLog {
		items = append(items, navItem{NavLog, "/corrections", p.T("改价记录", "Change log"), 0})
	}
	if p.User.Queues {
		items = append(items, navItem{NavReview, "/review", p.T("复核", "Review"), p.User.Reviews})
		items = append(items, navItem{NavInsights, "/insights", p.T("统计", "Insights"), 0})
	}
	if p.User.CanRun {
		items = append(items, navItem{NavOperations, "/operations", p.T("运维", "Operations"), 0})
	}
	if p.User.CanSet {
		items = append(items, navItem{NavSettings, "/settings", p.T("设置", "Settings"), 0})
	}
	return items
}

type themeChoice struct{ value, text string }

func (p Page) themes() []themeChoice {
	return []themeChoice{
		{"", p.T("跟随系统", "System")},
		{"light", p.T("浅色", "Light")},
		{"dark", p.T("深色", "Dark")},
	}
}

// pressed is the value of aria-pressed.
func pressed(on bool) string { return strconv.FormatBool(on) }

// countText is a number of things that wait, as a badge has room for.
func countText(n int) string {
	if n > 99 {
		return "99+"
	}
	return strconv.Itoa(n)
}
