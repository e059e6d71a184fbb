package wechat

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"

	"correction-console/internal/correction"
)

const orders = "/v3/payscore/partner/serviceorder"

// reply is all that came back for a request. Status is 0 when no answer began.
type reply struct {
	status    int
	requestID string
	body      []byte
	// failure is errSignature (2xx only), errTooLarge, or why there is no answer or
	// only part of one.
	failure error
	// connected tells whether a connection was ever handed to the request.
	connected bool
	// skew is how far WeChat's signed time is ahead of our clock, beyond what the
	// length of the call and whole seconds explain; it means something with signed.
	signed bool
	skew   time.Duration
	// date is the header of that name, which nobody signs; zero without one.
	date time.Time
	// clockOff: by the answer's time, signed or not, one of the clocks is too far off.
	clockOff bool
}

// do makes one request and takes down what it tells of the clock. Whatever the SDK's error says is reduced to the reply: its
// text holds headers and must not reach a log.
func (g *Gateway) do(ctx context.Context, c *call, request func(context.Context) (*core.APIResult, error)) reply {
	start := g.now()
	r := g.send(ctx, c, request)
	r.connected = c.connected.Load()
	now := g.now()
	if r.signed = !c.stamp.IsZero(); r.signed {
		r.skew = skew(start, now, c.stamp)
	}
	if reading, ok := r.clock(start, now); ok {
		reading.mono = time.Since(g.started)
		r.clockOff = reading.skew.Abs() >= correction.RefuseSkew
		g.mu.Lock()
		g.clock.add(reading)
		g.mu.Unlock()
	}
	return r
}

// clock is what an answer says of WeChat's clock: its signed time, or, where it fails for
// its time or ours, its Date. Then either clock may be the one that is wrong, or the
// answer an old one, and the Date tells which.
func (r reply) clock(start, now time.Time) (clockReading, bool) {
	switch late := errors.Is(r.failure, errSignature) && r.signed || r.remote().Code == "SIGN_ERROR"; {
	case late && !r.date.IsZero():
		return clockReading{at: now, skew: skew(start, now, r.date)}, true
	case r.signed && !late:
		// An old answer that is played again has an old time, and a Date of now: neither
		// clock is wrong then. Who forges the Date keeps people from a pause, and not from
		// what each correction checks by its own signed reading.
		if by := skew(start, now, r.date); !r.date.IsZero() && by.Abs() < r.skew.Abs() {
			return clockReading{at: now, skew: by}, true
		}
		return clockReading{at: now, skew: r.skew, signed: true}, true
	}
	return clockReading{}, false
}

func (g *Gateway) send(ctx context.Context, c *call, request func(context.Context) (*core.APIResult, error)) reply {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	ctx = httptrace.WithClientTrace(context.WithValue(ctx, callKey{}, c), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			c.connected.Store(true)
			c.reused.Store(info.Reused)
		},
	})
	res, err := request(ctx)
	if res == nil || res.Response == nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return reply{failure: err}
	}
	// The SDK decodes error bodies into the struct that also holds status and headers,
	// where the body can overwrite them. Only the response itself is used.
	r := reply{status: res.Response.StatusCode, requestID: clip(res.Response.Header.Get(consts.RequestID), maxRequestID)}
	if r.date, _ = http.ParseTime(res.Response.Header.Get("Date")); r.date.Year() < 2000 {
		r.date = time.Time{}
	}
	var refused *core.APIError
	switch {
	case err == nil, errors.As(err, &refused):
	case errors.Is(err, errSignature):
		r.failure = errSignature
	default:
		r.failure = err
		return r
	}
	r.body, err = io.ReadAll(res.Response.Body)
	if err != nil && r.failure == nil {
		r.failure = err
	}
	return r
}

// skew is how far a time in whole seconds, of something between start and end, lies
// outside of them.
func skew(start, end, stamp time.Time) time.Duration {
	switch early, late := start.Add(-time.Second), end.Add(time.Second); {
	case stamp.Before(early):
		return stamp.Sub(early)
	case stamp.After(late):
		return stamp.Sub(late)
	}
	return 0
}

// Query reads an order, from the current host. When that cannot be reached or does
// not answer in time, it asks the other host once, with a new signature; the other
// becomes the current one when it answers (domain.md §7). A deadline of ctx is shared
// between the two.
func (g *Gateway) Query(ctx context.Context, ref correction.Ref) (correction.Reading, error) {
	v := url.Values{"sub_mchid": {ref.SubMchID}, "out_order_no": {ref.OutOrderNo}}
	if ref.ServiceID != "" {
		v.Set("service_id", ref.ServiceID)
	}
	path := orders + "?" + v.Encode()
	on := g.current()
	first, cancel := ctx, func() {}
	if deadline, ok := ctx.Deadline(); ok && len(g.hosts) > 1 {
		first, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
	}
	r := g.ask(first, g.hosts[on].url+path)
	cancel()
	if len(g.hosts) > 1 && r.unreached() && ctx.Err() == nil {
		g.note(ctx, r, correction.CodeUnreachable)
		on = 1 - on
		if r = g.ask(ctx, g.hosts[on].url+path); r.wechats() {
			g.switchTo(on)
		}
	}
	o, err := r.order(ref)
	code := ""
	if correction.KindOf(err) == correction.Unavailable || correction.CodeOf(err) == correction.CodeBadSettings {
		code = correction.CodeOf(err)
	}
	g.note(ctx, r, code)
	if err != nil {
		return correction.Reading{}, err
	}
	return correction.Reading{Order: o, At: g.now(), RequestID: r.requestID, Skew: r.skew, Host: g.name(on)}, nil
}

// ask makes a query. One that failed on a kept connection, before any answer, is
// repeated once with a new signature: the connection may have been closed by the
// other side while it was idle.
func (g *Gateway) ask(ctx context.Context, address string) (r reply) {
	with := g.clients.Load()
	for again := range 2 {
		if again > 0 {
			with.kept.CloseIdleConnections() // they are as old as the one that was dead
		}
		c := &call{signing: correction.NewSigning(g.now())}
		r = g.do(ctx, c, func(ctx context.Context) (*core.APIResult, error) { return with.query.Get(ctx, address) })
		if r.status != 0 || !c.reused.Load() || isTimeout(r.failure) {
			break
		}
	}
	return r
}

// Modify makes the call once, with exactly these bytes and this signature time and
// nonce, on a connection of its own, to the current host and no other.
func (g *Gateway) Modify(ctx context.Context, ref correction.Ref, body []byte, s correction.Signing) correction.Answer {
	start := g.now()
	c := &call{signing: s}
	on := g.current()
	with := g.clients.Load()
	address := g.hosts[on].url + orders + "/" + url.PathEscape(ref.OutOrderNo) + "/modify"
	r := g.do(ctx, c, func(ctx context.Context) (*core.APIResult, error) { return with.modify.Post(ctx, address, body) })
	a := r.answer(r.connected)
	a.Took, a.Host = max(0, g.now().Sub(start)), g.name(on)
	code := ""
	switch {
	case a.Alarm == correction.AlarmAuth:
		code = correction.CodeBadSettings
	case a.Class == correction.NothingSent || a.Class == correction.Uncertain:
		code = a.Cause
	}
	g.note(ctx, r, code)
	return a
}

// succeeded reports a status in the 200s.
func (r reply) succeeded() bool { return r.status/100 == 2 }

// wechats reports an answer that is WeChat's: verified, or an error of its API.
func (r reply) wechats() bool {
	return r.failure == nil && (r.succeeded() || r.status >= 400 && r.remote().Code != "")
}

// unreached reports that no connection was made, or that no answer came in time.
func (r reply) unreached() bool { return !r.connected || isTimeout(r.failure) }

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || (errors.As(err, &t) && t.Timeout())
}
