package i18n

import "correction-console/internal/correction"

// machineAlarms are the words for concerns about the machine.
var machineAlarms = map[correction.Concern]Text{
	correction.LowDisk:       {"磁盘快满了，改价已暂停。请运维清理或扩容。", "The disk is nearly full, and corrections are paused. The operator has to make room."},
	correction.StoreFailed:   {"数据库的磁盘读写出错，改价已暂停。请运维马上处理。", "The disk of the database failed, and corrections are paused. The operator has to see to it at once."},
	correction.JournalFailed: {"第二份记录（journal）刚才写不进去。请运维检查它的磁盘。", "The second record, the journal, could not be written. The operator has to look at its disk."},
	correction.ClockOff:      {"本机时钟和微信差了 60 秒以上，请运维校准。差到 240 秒就发不出改价。", "This machine's clock is off WeChat's by more than 60 seconds; the operator should set it. From 240 seconds on no correction is sent."},
	correction.ClockRefused:  {"本机时钟和微信差了 240 秒以上，改价发不出去。请运维马上校准。", "This machine's clock is off WeChat's by more than 240 seconds, so no correction is sent. The operator has to set it at once."},
	correction.OnBackup:      {"微信的主域名连不上，正在用备用域名。", "WeChat's main host cannot be reached; the backup host is used."},
	correction.ReloadFailed:  {"新换的密钥或证书有问题，没有采用，还在用原来的。请运维检查。", "New keys or certificates are not right and were not taken; the former ones are still in use. The operator has to check them."},
	correction.Unpublished:   {"记录的校验点没能送出这台机器。请运维检查存放的地方。", "The record's checkpoint could not leave this machine. The operator should look at where it goes."},
}

// AlarmWords says what people must know who did not ask: those of corrections with
// their number.
func AlarmWords(l Lang, a correction.Alarm) string {
	switch a.Concern {
	case correction.Unresolved:
		if a.Count == 1 {
			return l.T("有 1 笔改价超过 10 分钟还没有结果。", "One correction has had no result for more than 10 minutes.")
		}
		return l.F("有 %d 笔改价超过 10 分钟还没有结果。", "%d corrections have had no result for more than 10 minutes.", a.Count)
	case correction.AppliedAfter:
		if a.Count == 1 {
			return l.T("有 1 笔改价原来判断没有改成，后来生效了，等主管处理。", "One correction that was held for not applied took effect. A supervisor has to see to it.")
		}
		return l.F("有 %d 笔改价原来判断没有改成，后来生效了，等主管处理。", "%d corrections that were held for not applied took effect. A supervisor has to see to them.", a.Count)
	case correction.LostEffect:
		if a.Count == 1 {
			return l.T("有 1 笔已生效的改价和订单对不上，等主管核对。", "One applied correction is no longer what its order says. A supervisor has to check.")
		}
		return l.F("有 %d 笔已生效的改价和订单对不上，等主管核对。", "%d applied corrections are no longer what their orders say. A supervisor has to check.", a.Count)
	}
	return word(machineAlarms, a.Concern).In(l)
}

// ReadOnlyText tells everybody that corrections are refused at present, and why.
func ReadOnlyText(c correction.Concern) Text {
	switch c {
	case correction.ClockRefused:
		return Text{"改价已暂停：本机时钟和微信差得太多，要运维校准。订单可以照常查。", "Corrections are paused: this machine's clock is too far off WeChat's and the operator is needed. Orders can be looked up as usual."}
	case correction.StoreFailed:
		return Text{"改价已暂停：记录的磁盘出错了，要运维处理。订单可以照常查。", "Corrections are paused: the disk of the record failed and the operator is needed. Orders can be looked up as usual."}
	}
	return Text{"改价已暂停：磁盘快满了，要运维处理。订单可以照常查。", "Corrections are paused: the disk is nearly full and the operator is needed. Orders can be looked up as usual."}
}

var dueWords = map[correction.Settlement]Text{
	correction.PaidOld:   {"客户按原金额付了款，多收的要退。", "The customer paid the former amount; refund the difference."},
	correction.PaidOther: {"客户多付了，多收的要退。", "The customer paid too much; refund the difference."},
	correction.StillOpen: {"到期没有看到客户付款，系统不再自动核对。", "No payment was seen in time, and the console no longer reads the order."},
}

// DueText says what a correction left for a supervisor to see to.
func DueText(l Lang, s correction.Summary) string {
	if t, ok := dueWords[s.Settled]; ok {
		return t.In(l)
	}
	if s.State == correction.AppliedLate {
		return l.T("原来判断没有改成，后来生效了。要看有没有另外退过款，也要告诉客户。", "It was held for not applied, but took effect. Was anything refunded meanwhile, and does the customer know?")
	}
	return l.T("已经生效过，订单现在却对不上。要核对客户应付多少。", "It was in force, but the order says otherwise now. What does the customer owe?")
}
