package i18n

import "correction-console/internal/correction"

// ProductName is what the console is called.
var ProductName = Text{"改价台", "Correction Console"}

var stateWords = map[correction.State]Text{
	correction.Prepared:    {"待确认", "To confirm"},
	correction.Awaiting:    {"待审批", "Awaiting approval"},
	correction.Approved:    {"已批准", "Approved"},
	correction.Returned:    {"已退回", "Returned"},
	correction.Declined:    {"审批未通过", "Declined"},
	correction.Claimed:     {"提交中", "Sending"},
	correction.Sending:     {"提交中", "Sending"},
	correction.Unknown:     {"结果确认中", "Checking the result"},
	correction.NeedsPerson: {"需人工核对", "Needs a person"},
	correction.Applied:     {"已生效", "Applied"},
	correction.Rejected:    {"微信拒绝", "Refused by WeChat"},
	correction.NotSent:     {"未发出", "Not sent"},
	correction.NotApplied:  {"未生效", "Not applied"},
	correction.Stale:       {"订单已变化", "Order changed"},
	correction.Expiry:      {"已过期", "Expired"},
	correction.Withdrawn:   {"已撤回", "Withdrawn"},
	correction.Void:        {"已作废", "Void"},
	correction.Resolved:    {"已人工处理", "Settled by a person"},
	correction.AppliedLate: {"迟到生效", "Applied late"},
}

// stateNotes say only what the record proves: "this correction changed nothing"
// is known, "the amount is the old one" is not, because others may change it.
var stateNotes = map[correction.State]Text{
	correction.Prepared:    {"还没有提交，金额没有变。核对后确认，不改了就撤回。", "Nothing has been sent and the amount is unchanged. Check and confirm it, or withdraw it."},
	correction.Awaiting:    {"超出额度，已交给主管审批。批准之前金额不变，不要让客户先付款。", "Above the allowance: a supervisor decides. The amount stays until it is approved."},
	correction.Approved:    {"主管已批准，马上发给微信。", "Approved; it is being sent."},
	correction.Returned:    {"主管退回了，要改一改再提交。没有发给微信，金额没有变。", "A supervisor gave it back to be edited. Nothing was sent and the amount is unchanged."},
	correction.Declined:    {"主管没有批准，没有发给微信，金额没有变。", "A supervisor declined it. Nothing was sent and the amount is unchanged."},
	correction.Claimed:     {"正在提交，请稍等。不要重复提交。", "It is being sent. Please wait and do not submit it again."},
	correction.Sending:     {"正在提交，请稍等。不要重复提交。", "It is being sent. Please wait and do not submit it again."},
	correction.Unknown:     {"还不知道有没有改成，系统正在核对。请不要重新提交。", "We do not know yet whether it was applied. The console is checking; do not submit it again."},
	correction.NeedsPerson: {"系统判断不了结果，要两位主管核对。核对清楚之前，不要再改这笔订单。", "The console cannot tell the result. Two supervisors have to check it; do not correct this order before that."},
	correction.Applied:     {"改价已生效。", "The new amount is in force."},
	correction.Rejected:    {"微信没有接受，这次没有改动金额。点开看原因和下一步。", "WeChat did not accept it. This correction changed nothing. Open it for the reason and the next step."},
	correction.NotSent:     {"没有发给微信，这次没有改动金额。需要的话可以重新改。", "It was not sent to WeChat and changed nothing. It can be done again."},
	correction.NotApplied:  {"核对过了，这次没有生效。需要的话可以重新改。", "Checked: this correction did not take effect. It can be done again."},
	correction.Stale:       {"发给微信之前订单变了，这次没有发出。请按现在的订单重新改。", "The order changed before anything was sent. Start again from the order as it is now."},
	correction.Expiry:      {"没有按时确认，已过期，没有发出。需要的话可以重新改。", "It was not confirmed in time and nothing was sent. It can be done again."},
	correction.Withdrawn:   {"确认之前撤回了，没有发出。", "It was withdrawn before it was confirmed. Nothing was sent."},
	correction.Void:        {"现在的规则或权限不允许，没有发出，金额没有变。点开看原因。", "Rules or permissions no longer allow it. Nothing was sent and the amount is unchanged. Open it for the reason."},
	correction.Resolved:    {"两位主管核对过，已经处理。", "Two supervisors checked it and settled it."},
	correction.AppliedLate: {"原来判断没有改成，后来发现已经生效。请主管处理。", "It was held for not applied, but it did take effect. A supervisor has to see to it."},
}

var roleWords = map[correction.Role]Text{
	correction.Agent:      {"客服", "Agent"},
	correction.Supervisor: {"主管", "Supervisor"},
	correction.Operator:   {"运维", "Operator"},
	correction.Auditor:    {"审计", "Auditor"},
}

// StateWord returns the word for a state (product.md §5). A state that is not one
// of correction.States is shown by its code.
func StateWord(s correction.State) Text { return word(stateWords, s) }

// StateNote returns one sentence: where a correction in the state stands, and
// what to do now. It is empty for a state that is not one of correction.States.
func StateNote(s correction.State) Text { return stateNotes[s] }

// RoleWord returns the word for a role, the code itself when it is unknown.
func RoleWord(r correction.Role) Text { return word(roleWords, r) }

func word[K ~string](words map[K]Text, key K) Text {
	if t, ok := words[key]; ok {
		return t
	}
	return Text{string(key), string(key)}
}
