package i18n

import "correction-console/internal/correction"

// machineAlarms are the words for concerns about the machine.
var machineAlarms = map[correction.Concern]Text{
	correction.LowDisk:        {"磁盘快满了，改价已暂停。请运维清理或扩容。", "The disk is nearly full, and corrections are paused. The operator has to make room."},
	correction.StoreFailed:    {"数据库的磁盘读写出错，改价已暂停。请运维马上处理。", "The disk of the database failed, and corrections are paused. The operator has to see to it at once."},
	correction.JournalFailed:  {"第二份记录（journal）刚才写不进去。请运维检查它的磁盘。", "The second record, the journal, could not be written. The operator has to look at its disk."},
	correction.WeChatSettings: {"微信的应答说明接口设置不对：密钥、证书、商户号或权限。查单和改价可能都不行，请运维马上检查。", "WeChat's answers show that the console's settings for it are wrong: key, certificate, merchant number or permission. Look-ups and corrections may fail; the operator has to see to it at once."},
	correction.JournalMissing: {"第二份记录（journal）不见了，或者被换成了旧的：里面没有已经发出的改价。请运维把原来的目录放回去，再重启。", "The second record, the journal, is missing or an older one: it does not know corrections that were sent. The operator should put the former folder back and restart."},
	correction.ClockOff:       {"本机时钟和微信差了 60 秒以上，请运维校准。差到 240 秒就发不出改价。", "This machine's clock is off WeChat's by more than 60 seconds; the operator should set it. From 240 seconds on no correction is sent."},
	correction.ClockRefused:   {"本机时钟和微信差了 240 秒以上，改价发不出去。请运维马上校准。", "This machine's clock is off WeChat's by more than 240 seconds, so no correction is sent. The operator has to set it at once."},
	correction.OnBackup:       {"微信的主域名连不上，正在用备用域名。", "WeChat's main host cannot be reached; the backup host is used."},
	correction.Unpublished:    {"记录的校验点没能送出这台机器。请运维检查存放的地方。", "The record's checkpoint could not leave this machine. The operator should look at where it goes."},
	correction.ReloadFailed:   {"新换的密钥或证书有问题，没有采用，还在用原来的。请运维检查。", "The new keys or certificates are faulty and were not loaded; the former ones are still in use. The operator has to check them."},
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

// pause is why corrections are refused at present: on every page, on the page of what was
// refused, and what to tell the operator.
type pause struct{ banner, why, tell Text }

var pauses = map[correction.Concern]pause{
	correction.LowDisk: {
		Text{"改价已暂停：磁盘快满了，要运维处理。订单可以照常查。", "Corrections are paused: the disk is nearly full and the operator is needed. Orders can be looked up as usual."},
		Text{"记录所在的磁盘快满了。留不下记录，就不发给微信。", "The disk of the record is nearly full. What cannot be put on record is not sent to WeChat."},
		Text{"告诉运维：改价已暂停，磁盘快满了，要清理或扩容。", "Tell the operator that corrections are paused because the disk is nearly full."},
	},
	correction.StoreFailed: {
		Text{"改价已暂停：记录的磁盘出错了，要运维处理。订单可以照常查。", "Corrections are paused: the disk of the record failed and the operator is needed. Orders can be looked up as usual."},
		Text{"记录所在的磁盘出错了。留不下记录，就不发给微信。", "The disk of the record failed. What cannot be put on record is not sent to WeChat."},
		Text{"告诉运维：改价已暂停，记录的磁盘出错了，要马上处理。", "Tell the operator that corrections are paused because the disk of the record failed."},
	},
	correction.ClockRefused: {
		Text{"改价已暂停：本机时钟和微信差得太多，要运维校准。订单可以照常查。", "Corrections are paused: this machine's clock is too far off WeChat's and the operator is needed. Orders can be looked up as usual."},
		Text{"本机时钟和微信差了 240 秒以上。再差一点微信就不认签名，所以先不发。", "This machine's clock is off WeChat's by more than 240 seconds. A little more and WeChat refuses our signatures, so nothing is sent."},
		Text{"告诉运维：改价已暂停，本机时钟不准，要马上校准。", "Tell the operator that corrections are paused because this machine's clock is wrong."},
	},
}

// anyPause is for a reason that has no words of its own: it names none.
var anyPause = pause{
	Text{"改价已暂停，要运维处理。订单可以照常查。", "Corrections are paused and the operator is needed. Orders can be looked up as usual."},
	Text{"运维页上写着原因。", "The page Operations says why."},
	Text{"告诉运维：改价已暂停。", "Tell the operator that corrections are paused."},
}

func pauseOf(c correction.Concern) pause {
	if p, ok := pauses[c]; ok {
		return p
	}
	return anyPause
}

// ReadOnlyText tells everybody that corrections are refused at present, and why.
func ReadOnlyText(c correction.Concern) Text { return pauseOf(c).banner }

// ReadOnlyWhy tells whose correction was refused why, and ReadOnlyTell whom to tell of it.
func ReadOnlyWhy(c correction.Concern) Text { return pauseOf(c).why }

// ReadOnlyTell is what to tell the operator.
func ReadOnlyTell(c correction.Concern) Text { return pauseOf(c).tell }

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
