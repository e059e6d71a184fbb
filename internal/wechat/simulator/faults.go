package simulator

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// Fault is something that goes wrong with the next call or calls.
type Fault struct {
	Kind  Kind
	Call  string        // CallQuery or CallModify
	Host  string        // host:port as the request names it; empty = any
	Order string        // order number; empty = any
	Times int           // how often; 0 = once
	Skip  int           // matching calls to let pass first
	Delay time.Duration // of Slow, DelayedApply and SlowBody; 0 = the defaults above

	// Of StatusBefore and StatusAfter. An answer in the 200s is signed.
	Status     int
	Code       string // of an error of WeChat's form; empty = Body
	Body       string
	RetryAfter string // header; empty = none
}

// Script arms a fault. It fails for a kind that does not exist for the call.
func (s *Server) Script(f Fault) error {
	i := slices.IndexFunc(kinds, func(k KindInfo) bool { return k.Kind == f.Kind })
	if i < 0 || !slices.Contains(kinds[i].Calls, f.Call) {
		return fmt.Errorf("arm fault: there is no %q for %q", f.Kind, f.Call)
	}
	if f.Kind.generic() && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("arm fault: %q with status %d", f.Kind, f.Status)
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
	case f.Kind == SlowBody:
		return DefaultPause
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
	case Redirect301, Redirect302, Redirect307, Redirect308, Redirect301Foreign, Redirect302Foreign, Redirect307Foreign, Redirect308Foreign:
		status, foreign := strings.CutSuffix(string(f.Kind), "_foreign")
		to := "/elsewhere" + r.URL.EscapedPath()
		if foreign {
			to = "http://elsewhere.invalid" + r.URL.EscapedPath()
		}
		w.Header().Set("Location", to)
		code, _ := strconv.Atoi(status)
		w.WriteHeader(code)
		return
	case StatusBefore:
		s.say(w, q, f)
		return
	case Replayed:
		s.replay(w, q)
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
			panic(http.ErrAbortHandler)
		}
		s.plain(w, r, q)
		return
	}
	status, body, refused := s.answer(r, q)
	if refused != nil { // refused anyway: there is nothing to spoil
		s.refuse(w, refused)
		return
	}
	s.spoil(w, r, q, f, status, body)
}

func (s *Server) plain(w http.ResponseWriter, r *http.Request, q request) {
	status, body, refused := s.answer(r, q)
	if refused != nil {
		s.refuse(w, refused)
		return
	}
	s.head(w, q, body)
	s.mu.Lock()
	s.earlier[past{q.call, q.no}] = answered{status, w.Header().Clone(), body}
	s.mu.Unlock()
	w.WriteHeader(status)
	w.Write(body)
}

// past names the answers that can be replayed: the newest genuine one of each call
// for each number.
type past struct{ call, no string }

type answered struct {
	status int
	header http.Header
	body   []byte
}

// replay gives the newest earlier answer again, as it was signed then. A modify
// call that is the first for its order gets the answer to a query; when there is
// none either, the connection ends.
func (s *Server) replay(w http.ResponseWriter, q request) {
	s.mu.Lock()
	a, ok := s.earlier[past{q.call, q.no}]
	if !ok {
		a, ok = s.earlier[past{CallQuery, q.no}]
	}
	s.mu.Unlock()
	if !ok {
		reset(w)
		return
	}
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	w.Write(a.body)
}

// say answers as a generic fault says.
func (s *Server) say(w http.ResponseWriter, q request, f *Fault) {
	h, body := w.Header(), []byte(f.Body)
	h.Set("Request-ID", requestID("1"))
	h.Set("Content-Type", "text/plain; charset=utf-8")
	if f.Code != "" {
		h.Set("Content-Type", "application/json; charset=utf-8")
		body = marshal(map[string]any{"code": f.Code, "message": "按剧本应答"})
	}
	if f.RetryAfter != "" {
		h.Set("Retry-After", f.RetryAfter)
	}
	if f.Status == http.StatusNoContent {
		body = nil
	}
	if f.Status < 300 {
		s.sign(h, s.now(), q.serial, body)
	}
	w.WriteHeader(f.Status)
	w.Write(body)
}

var (
	systemError = &refusal{500, "SYSTEM_ERROR", "系统错误", "1", ""}
	unavailable = &refusal{503, "SERVICE_UNAVAILABLE", "服务不可用", "1", ""}
)

// spoil sends the answer of a call that was carried out, in a bad way.
func (s *Server) spoil(w http.ResponseWriter, r *http.Request, q request, f *Fault, status int, body []byte) {
	h := w.Header()
	whole := body // of an answer that has to have one
	if whole == nil {
		whole = []byte(`{"out_order_no":"` + q.no + `"}`)
	}
	switch f.Kind {
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
	case OldTimestamp, ClockBehind, ClockAhead:
		off := map[Kind]time.Duration{OldTimestamp: -window - time.Second, ClockBehind: -clockOff, ClockAhead: clockOff}[f.Kind]
		s.sign(h, s.now().Add(off), q.serial, body)
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
		var o Order
		s.between(q, func(e *entry) error {
			o = e.order.clone()
			return nil
		})
		o.OutOrderNo += "X"
		s.succeed(w, q, http.StatusOK, marshal(o.wire()))
	case Truncated:
		s.sign(h, s.now(), q.serial, whole)
		h.Set("Content-Length", fmt.Sprint(len(whole)))
		w.WriteHeader(http.StatusOK)
		w.Write(whole[:len(whole)/2])
		_ = http.NewResponseController(w).Flush() // what is buffered would be dropped with the connection
		panic(http.ErrAbortHandler)
	case Huge:
		s.succeed(w, q, http.StatusOK, slices.Repeat([]byte(" "), 2<<20))
	case StatusAfter:
		s.say(w, q, f)
	case SlowBody:
		s.sign(h, s.now(), q.serial, whole)
		h.Set("Content-Length", fmt.Sprint(len(whole)))
		s.drip(w, r, whole, f.Delay)
	case LengthLong:
		s.lie(w, q, whole, len(whole)+100)
	case LengthShort:
		s.lie(w, q, whole, len(whole)/2)
	case Endless:
		s.sign(h, s.now(), q.serial, whole)
		w.WriteHeader(http.StatusOK)
		s.flood(w)
	case GzipBomb:
		h.Set("Content-Encoding", "gzip")
		s.succeed(w, q, http.StatusOK, bomb())
	}
}

// between gets at the order of a call while it is carried out, to change it. An order
// that cannot be changed so is left alone.
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

// drip sends a body byte by byte, with a pause before each.
func (s *Server) drip(w http.ResponseWriter, r *http.Request, body []byte, pause time.Duration) {
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	for i := range body {
		_ = out.Flush() // the header first; a caller who is gone ends the request's context
		select {
		case <-time.After(pause):
			w.Write(body[i : i+1])
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		case <-s.done:
			panic(http.ErrAbortHandler)
		}
	}
}

// flood writes until the caller or the server has had enough.
func (s *Server) flood(w http.ResponseWriter) {
	chunk := slices.Repeat([]byte(" "), 64<<10)
	for {
		select {
		case <-s.done:
			panic(http.ErrAbortHandler)
		default:
		}
		if _, err := w.Write(chunk); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// lie sends a signed answer whose Content-Length is not that of its body, which
// net/http does not let pass, and closes the connection.
func (s *Server) lie(w http.ResponseWriter, q request, body []byte, length int) {
	s.head(w, q, body)
	conn, out, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	fmt.Fprintf(out, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n", length)
	_ = w.Header().Write(out) // to a buffer; Flush tells whether the caller is still there
	fmt.Fprintf(out, "\r\n%s", body)
	_ = out.Flush()
}

// bomb is a gzip stream of some 300 KB that unpacks to 256 MiB of blanks.
var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(slices.Repeat([]byte(" "), 1<<20)) // a buffer takes everything
	_ = z.Close()
	return bytes.Repeat(b.Bytes(), 256) // streams in a row are one stream
})

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
