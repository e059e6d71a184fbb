package i18n

import (
	"strconv"

	"correction-console/internal/correction"
)

var flagNames = map[string]Text{
	correction.FlagZero:    {"改到 0 元", "To zero"},
	correction.FlagShare:   {"降幅大", "Large share"},
	correction.FlagNear:    {"贴近上限", "Just under the limit"},
	correction.FlagDevice:  {"同一设备再改", "Same device again"},
	correction.FlagOrder:   {"同一订单再改", "Same order again"},
	correction.FlagHours:   {"工作时间外", "Outside hours"},
	correction.FlagFast:    {"提交太快", "Very fast"},
	correction.FlagOther:   {"连用“其他”", "“Other” repeatedly"},
	correction.FlagPair:    {"同一人同一设备", "Same agent and device"},
	correction.FlagSampled: {"随机抽中", "Drawn at random"},
}

// FlagName names a flag, for filters and tables.
func FlagName(code string) Text { return word(flagNames, code) }

// FlagText says why a correction is to be looked at: what was found and the threshold
// of then.
func FlagText(l Lang, f correction.Flag) string {
	switch f.Code {
	case correction.FlagZero:
		return l.T("改到 0 元，全部不收", "Lowered to ¥0.00: nothing is charged")
	case correction.FlagShare:
		return l.F("降幅 %s，超过 %s", "Reduced by %s, above %s", percent(f.Found), percent(f.Limit))
	case correction.FlagNear:
		below, limit := correction.Fen(f.Found), correction.Fen(f.Limit)
		if below == 0 {
			return l.F("少收 %s，正好是每单上限", "Reduced by %s, exactly the limit per order", limit)
		}
		return l.F("少收 %[1]s，离每单上限只差 %[2]s", "Reduced by %[1]s, only %[2]s under the limit per order", limit-below, below)
	case correction.FlagDevice:
		return l.F("同一设备 %[1]d 天内第 %[2]d 次改价", "Correction no. %[2]d of the same device within %[1]d days", f.Limit, f.Found)
	case correction.FlagOrder:
		return l.F("同一订单 %[1]d 天内第 %[2]d 次改价", "Correction no. %[2]d of the same order within %[1]d days", f.Limit, f.Found)
	case correction.FlagHours:
		return l.F("%s 提交，不在工作时间内", "Submitted at %s, outside working hours", minute(f.Found))
	case correction.FlagFast:
		return l.F("从打开订单到提交只用了 %[1]d 秒，少于 %[2]d 秒", "Only %[1]d s from opening the order to submitting, less than %[2]d s", f.Found, f.Limit)
	case correction.FlagOther:
		return l.F("连续 %d 笔用“其他”作原因", "“Other” as the reason %d times running", f.Found)
	case correction.FlagPair:
		return l.F("同一客服 %[1]d 天内第 %[2]d 次改同一设备的订单", "Correction no. %[2]d by the same agent on the same device within %[1]d days", f.Limit, f.Found)
	}
	return FlagName(f.Code).In(l)
}

// percent prints thousandths as a share, without a decimal that is zero: 769 is
// "76.9%", 500 is "50%".
func percent(permille int64) string {
	s := strconv.FormatInt(permille/10, 10)
	if tenth := permille % 10; tenth != 0 {
		s += "." + strconv.FormatInt(tenth, 10)
	}
	return s + "%"
}

// minute prints minutes after midnight as a time of day.
func minute(m int64) string {
	two := func(n int64) string {
		if n < 10 {
			return "0" + strconv.FormatInt(n, 10)
		}
		return strconv.FormatInt(n, 10)
	}
	return two(m/60) + ":" + two(m%60)
}

var reviewWords = map[string]Text{
	string(correction.ReviewFine):     {"没问题", "Fine"},
	string(correction.ReviewQueried):  {"问客服", "Queried"},
	string(correction.ReviewAnswered): {"已回答", "Answered"},
	string(correction.ReviewWrong):    {"有误", "Wrong"},
	correction.ReviewNone:             {"未复核", "Not reviewed"},
}

// ReviewWord names a review mark, or ReviewNone.
func ReviewWord(mark string) Text { return word(reviewWords, mark) }
