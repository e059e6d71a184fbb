package simulator

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"correction-console/internal/correction"
)

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
