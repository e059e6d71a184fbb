package simulator

import (
	"slices"
	"time"
)

// The calls that a fault can be for.
const (
	CallQuery  = "query"
	CallModify = "modify"
)

// Kind names a fault.
type Kind string

// Kinds of faults. "Before" means that the call has no effect, "after" that it has
// taken effect.
const (
	TimeoutBefore Kind = "timeout_before"
	TimeoutAfter  Kind = "timeout_after"
	ResetBefore   Kind = "reset_before"
	ResetAfter    Kind = "reset_after"
	ErrorBefore   Kind = "500_before"
	ErrorAfter    Kind = "500_after"
	HTML502Before Kind = "502_before"
	HTML502After  Kind = "502_after"
	Down503Before Kind = "503_before"
	Down503After  Kind = "503_after"
	RateLimited   Kind = "429"
	Busy          Kind = "busy"
	SignError     Kind = "401"
	NoAuth        Kind = "403"
	PaidBetween   Kind = "paid"
	LowerBetween  Kind = "lowered"
	Unsigned      Kind = "unsigned"
	BadSignature  Kind = "bad_signature"
	OldTimestamp  Kind = "old_timestamp"
	UnknownSerial Kind = "unknown_serial"
	Garbage       Kind = "garbage"
	SignedGarbage Kind = "signed_garbage"
	OtherOrder    Kind = "other_order"
	Accepted202   Kind = "202"
	Redirect307   Kind = "307"
	HTML403       Kind = "html_403"
	Truncated     Kind = "truncated"
	Huge          Kind = "huge"
	Slow          Kind = "slow"
	DelayedApply  Kind = "delayed_apply"
	SlowBody      Kind = "slow_body"
	LengthLong    Kind = "length_long"
	LengthShort   Kind = "length_short"
	Endless       Kind = "endless"
	GzipBomb      Kind = "gzip_bomb"
	Replayed      Kind = "replayed"
	ClockBehind   Kind = "clock_behind"
	ClockAhead    Kind = "clock_ahead"

	Redirect301        Kind = "301"
	Redirect302        Kind = "302"
	Redirect308        Kind = "308"
	Redirect301Foreign Kind = "301_foreign"
	Redirect302Foreign Kind = "302_foreign"
	Redirect307Foreign Kind = "307_foreign"
	Redirect308Foreign Kind = "308_foreign"

	// StatusBefore and StatusAfter answer as the fault's Status, Code, Body and
	// RetryAfter say.
	StatusBefore Kind = "status_before"
	StatusAfter  Kind = "status_after"
)

// KindInfo describes a kind of fault.
type KindInfo struct {
	Kind   Kind
	ZH, EN string
	Calls  []string // that it exists for
}

var (
	both       = []string{CallQuery, CallModify}
	modifyOnly = []string{CallModify}
)

var kinds = []KindInfo{
	{TimeoutBefore, "一直不应答，没有生效", "no answer, no effect", both},
	{TimeoutAfter, "一直不应答，但已生效", "no answer, took effect", modifyOnly},
	{ResetBefore, "连接中断，没有生效", "connection reset, no effect", both},
	{ResetAfter, "连接中断，但已生效", "connection reset, took effect", modifyOnly},
	{ErrorBefore, "500 系统错误，没有生效", "500 system error, no effect", both},
	{ErrorAfter, "500 系统错误，但已生效", "500 system error, took effect", modifyOnly},
	{HTML502Before, "502 网页，没有生效", "502 page, no effect", both},
	{HTML502After, "502 网页，但已生效", "502 page, took effect", modifyOnly},
	{Down503Before, "503 服务不可用，没有生效", "503 unavailable, no effect", both},
	{Down503After, "503 服务不可用，但已生效", "503 unavailable, took effect", modifyOnly},
	{RateLimited, "429 频率超限", "429 rate limited", both},
	{Busy, "单据正在扣款中", "being charged", modifyOnly},
	{SignError, "401 签名错误", "401 signature refused", both},
	{NoAuth, "403 没有权限", "403 no permission", both},
	{PaidBetween, "客户刚好付了款", "customer pays just before", both},
	{LowerBetween, "别人刚好改低了金额", "somebody lowers it just before", both},
	{Unsigned, "应答没有签名（已生效）", "answer without signature (took effect)", both},
	{BadSignature, "应答签名不对（已生效）", "answer with a wrong signature (took effect)", both},
	{OldTimestamp, "应答时间过旧（已生效）", "answer with an old timestamp (took effect)", both},
	{UnknownSerial, "应答的公钥不认识（已生效）", "answer with an unknown key (took effect)", both},
	{Garbage, "200 乱码，没有签名也没有生效", "200 garbage, unsigned, no effect", both},
	{SignedGarbage, "200 乱码，有签名（已生效）", "200 garbage, signed (took effect)", both},
	{OtherOrder, "答了另一笔订单（已生效）", "answers for another order (took effect)", both},
	{Accepted202, "202 已接收未处理", "202 accepted, not processed", both},
	{Redirect307, "307 跳转", "307 redirect", both},
	{HTML403, "403 网页（防火墙）", "403 page (firewall)", both},
	{Truncated, "应答传到一半断开（已生效）", "answer cut off (took effect)", both},
	{Huge, "应答有 2 MiB（已生效）", "answer of 2 MiB (took effect)", both},
	{Slow, "应答很慢", "slow answer", both},
	{DelayedApply, "连接中断，过一会儿才生效", "connection reset, takes effect later", modifyOnly},
	{SlowBody, "应答一秒一个字节（已生效）", "answer at 1 byte a second (took effect)", both},
	{LengthLong, "应答比声明的短（已生效）", "answer shorter than it says (took effect)", both},
	{LengthShort, "应答比声明的长（已生效）", "answer longer than it says (took effect)", both},
	{Endless, "应答没完没了（已生效）", "answer that never ends (took effect)", both},
	{GzipBomb, "应答是压缩炸弹，有签名（已生效）", "answer is a signed gzip bomb (took effect)", both},
	{Replayed, "重放以前的应答，没有生效", "an earlier answer replayed, no effect", both},
	{ClockBehind, "应答时间慢 6 分钟（已生效）", "answer signed 6 minutes behind (took effect)", both},
	{ClockAhead, "应答时间快 6 分钟（已生效）", "answer signed 6 minutes ahead (took effect)", both},
	{Redirect301, "301 跳转", "301 redirect", both},
	{Redirect302, "302 跳转", "302 redirect", both},
	{Redirect308, "308 跳转", "308 redirect", both},
	{Redirect301Foreign, "301 跳转到别的域名", "301 redirect to another host", both},
	{Redirect302Foreign, "302 跳转到别的域名", "302 redirect to another host", both},
	{Redirect307Foreign, "307 跳转到别的域名", "307 redirect to another host", both},
	{Redirect308Foreign, "308 跳转到别的域名", "308 redirect to another host", both},
	{StatusBefore, "指定的状态码，没有生效", "given status, no effect", both},
	{StatusAfter, "指定的状态码，但已生效", "given status, took effect", both},
}

// generic kinds need more of Fault than the page and chaos can give.
func (k Kind) generic() bool { return k == StatusBefore || k == StatusAfter }

// Kinds lists all kinds of faults.
func Kinds() []KindInfo { return slices.Clone(kinds) }

// How slow a fault is that does not say.
const (
	DefaultDelay = 300 * time.Millisecond // of Slow
	DefaultLater = 3 * time.Second        // of DelayedApply
	DefaultPause = time.Second            // of SlowBody, before every byte
)

// clockOff is how far the time of ClockBehind and ClockAhead is off.
const clockOff = 6 * time.Minute
