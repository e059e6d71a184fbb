package simulator

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"correction-console/internal/correction"
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
	StatusBefore  Kind = "status_before"
	StatusAfter   Kind = "status_after"
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
	queryOnly  = []string{CallQuery}
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
	{OtherOrder, "答了另一笔订单", "answers for another order", queryOnly},
	{Accepted202, "202 已接收未处理", "202 accepted, not processed", both},
	{Redirect307, "307 跳转", "307 redirect", both},
	{HTML403, "403 网页（防火墙）", "403 page (firewall)", both},
	{Truncated, "应答传到一半断开（已生效）", "answer cut off (took effect)", both},
	{Huge, "应答有 2 MiB（已生效）", "answer of 2 MiB (took effect)", both},
	{Slow, "应答很慢", "slow answer", both},
	{DelayedApply, "连接中断，过一会儿才生效", "connection reset, takes effect later", modifyOnly},
}

// generic kinds need more of Fault than the page and chaos can give.
func (k Kind) generic() bool { return k == StatusBefore || k == StatusAfter }

// Kinds lists all kinds of faults.
func Kinds() []KindInfo { return slices.Clone(kinds) }

// How slow a fault is that does not say.
const (
	DefaultDelay = 300 * time.Millisecond // of Slow
	DefaultLater = 3 * time.Second        // of DelayedApply
)

// Fault is something that goes wrong with the next call or calls.
type Fault struct {
	Kind  Kind
	Call  string        // CallQuery or CallModify
	Host  string        // host:port as the request names it; empty = any
	Order string        // order number; empty = any
	Times int           // how often; 0 = once
	Skip  int           // matching calls to let pass first
	Delay time.Duration // of Slow and DelayedApply; 0 = DefaultDelay, DefaultLater
}

// Script arms a fault. It fails for a kind that does not exist for the call.
func (s *Server) Script(f Fault) error {
	i := slices.IndexFunc(kinds, func(k KindInfo) bool { return k.Kind == f.Kind })
	if i < 0 || !slices.Contains(kinds[i].Calls, f.Call) {
		return fmt.Errorf("arm fault: there is no %q for %q", f.Kind, f.Call)
	}
	if f.Times <= 0 {
		f.Times = 1
	}
	f.Delay = f.delay()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
	return nil
}

func (f Fault) delay() time.Duration {
	switch {
	case f.Delay > 0:
		return f.Delay
	case f.Kind == DelayedApply:
		return DefaultLater
	}
	return DefaultDelay
}

// Armed lists the faults that are still to come.
func (s *Server) Armed() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Fault
	for _, f := range s.faults {
		out = append(out, *f)
	}
	return out
}

// Disarm forgets all faults and ends the chaos.
func (s *Server) Disarm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.chaos = nil, chaos{}
}

// next takes the fault for a call, if one is armed.
func (s *Server) next(q request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Call != q.call || (f.Order != "" && f.Order != q.no) || (f.Host != "" && f.Host != q.host) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			return nil
		}
		now := *f
		// A reset on a kept connection looks like one that was closed while idle, after
		// which clients ask again: the fault waits for that.
		if f.Kind == ResetBefore && q.call == CallQuery && !q.first {
			return &now
		}
		if f.Times--; f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return &now
	}
	return s.chaos.draw(q)
}

// serve answers a verified request, with the fault that is armed for it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, q request) {
	f := s.next(q)
	if f == nil {
		s.plain(w, r, q)
		return
	}
	s.note(q, func(p *Post) { p.Fault = f.Kind })
	switch f.Kind {
	case TimeoutBefore:
		s.hang(r)
		return
	case ResetBefore:
		reset(w)
		return
	case ErrorBefore:
		s.refuse(w, systemError)
		return
	case HTML502Before:
		page(w, http.StatusBadGateway)
		return
	case Down503Before:
		s.refuse(w, unavailable)
		return
	case RateLimited:
		s.refuse(w, &refusal{429, "FREQUENCY_LIMITED", "频率超限", "268435472", ""})
		return
	case Busy:
		s.refuse(w, busy)
		return
	case SignError:
		s.refuse(w, signError("签名错误，验签失败"))
		return
	case NoAuth:
		s.refuse(w, &refusal{403, "NO_AUTH", "当前无权限进行此操作", "268503786", ""})
		return
	case Garbage:
		page(w, http.StatusOK)
		return
	case HTML403:
		page(w, http.StatusForbidden)
		return
	case Redirect307:
		w.Header().Set("Location", "/elsewhere"+r.URL.EscapedPath())
		w.WriteHeader(http.StatusTemporaryRedirect)
		return
	case Accepted202:
		s.succeed(w, q, http.StatusAccepted, nil)
		return
	case PaidBetween:
		s.between(q, func(e *entry) error { return e.pay(s.clock()) })
		s.plain(w, r, q)
		return
	case LowerBetween:
		s.between(q, func(e *entry) error { return e.lower(below(e.order, q)) })
		s.plain(w, r, q)
		return
	case DelayedApply:
		time.AfterFunc(f.Delay, func() {
			select {
			case <-s.done:
			default:
				s.modify(q)
			}
		})
		reset(w)
		return
	case Slow:
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
		case <-s.done:
		}
		s.plain(w, r, q)
		return
	}
	status, body, refused := s.answer(r, q)
	if refused != nil { // refused anyway: there is nothing to spoil
		s.refuse(w, refused)
		return
	}
	s.spoil(w, r, q, f.Kind, status, body)
}

func (s *Server) plain(w http.ResponseWriter, r *http.Request, q request) {
	status, body, refused := s.answer(r, q)
	if refused != nil {
		s.refuse(w, refused)
		return
	}
	s.succeed(w, q, status, body)
}

var (
	systemError = &refusal{500, "SYSTEM_ERROR", "系统错误", "1", ""}
	unavailable = &refusal{503, "SERVICE_UNAVAILABLE", "服务不可用", "1", ""}
)

// spoil sends the answer of a call that was carried out, in a bad way.
func (s *Server) spoil(w http.ResponseWriter, r *http.Request, q request, kind Kind, status int, body []byte) {
	h := w.Header()
	switch kind {
	case TimeoutAfter:
		s.hang(r)
	case ResetAfter:
		reset(w)
	case ErrorAfter:
		s.refuse(w, systemError)
	case HTML502After:
		page(w, http.StatusBadGateway)
	case Down503After:
		s.refuse(w, unavailable)
	case Unsigned:
		h.Set("Request-ID", requestID("0"))
		w.WriteHeader(status)
		w.Write(body)
	case BadSignature:
		s.sign(h, s.now(), q.serial, append([]byte("x"), body...))
		h.Set("Request-ID", requestID("0"))
		w.WriteHeader(status)
		w.Write(body)
	case OldTimestamp:
		s.sign(h, s.now().Add(-window-time.Second), q.serial, body)
		h.Set("Request-ID", requestID("0"))
		w.WriteHeader(status)
		w.Write(body)
	case UnknownSerial:
		s.sign(h, s.now(), q.serial, body)
		h.Set("Wechatpay-Serial", "PUB_KEY_ID_0000000000000000000000000000")
		h.Set("Request-ID", requestID("0"))
		w.WriteHeader(status)
		w.Write(body)
	case SignedGarbage:
		s.succeed(w, q, http.StatusOK, []byte(`{"state": [`))
	case OtherOrder:
		o, _ := s.Order(r.URL.Query().Get("sub_mchid"), q.no)
		o.OutOrderNo += "X"
		s.succeed(w, q, status, marshal(o.wire()))
	case Truncated:
		whole := body
		if whole == nil {
			whole = []byte(`{"out_order_no":"` + q.no + `"}`)
		}
		s.sign(h, s.now(), q.serial, whole)
		h.Set("Content-Length", fmt.Sprint(len(whole)))
		w.WriteHeader(http.StatusOK)
		w.Write(whole[:len(whole)/2])
		_ = http.NewResponseController(w).Flush() // what is buffered would be dropped with the connection
		panic(http.ErrAbortHandler)
	case Huge:
		s.succeed(w, q, http.StatusOK, slices.Repeat([]byte(" "), 2<<20))
	}
}

// between changes the order of a call just before it is carried out. An order that
// cannot be changed so is left alone.
func (s *Server) between(q request, f func(*entry) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, e := range s.orders {
		if k.outOrderNo == q.no {
			_ = f(e)
		}
	}
}

// below is a total that stands in the way of a modify call, or, for a query, is
// just another one.
func below(o Order, q request) correction.Fen {
	if c, refused := readChange(q.body); q.call == CallModify && refused == nil && c.total > 0 {
		return c.total - 1
	}
	return o.Total / 2
}

// hang waits until the caller gives up or the server closes.
func (s *Server) hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-s.done:
	}
	panic(http.ErrAbortHandler)
}

// reset ends the connection so that the caller sees a reset, not an end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}

// page is what a proxy or firewall answers.
func page(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<html><head><title>%d</title></head><body><center><h1>%d</h1></center><hr><center>openresty</center></body></html>\n", status, status)
}
