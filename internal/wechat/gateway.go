package wechat

import (
	"context"
	"errors"
	"io"
	"net/http/httptrace"
	"net/url"

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
}

// do makes one request. Whatever the SDK's error says is reduced to the reply: its
// text holds headers and must not reach a log.
func (g *Gateway) do(ctx context.Context, c *call, request func(context.Context) (*core.APIResult, error)) reply {
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

// Query reads an order. A request that failed on a kept connection, before any
// answer, is repeated once with a new signature: the connection may have been
// closed by the other side while it was idle.
func (g *Gateway) Query(ctx context.Context, ref correction.Ref) (correction.Reading, error) {
	v := url.Values{"sub_mchid": {ref.SubMchID}, "out_order_no": {ref.OutOrderNo}}
	if ref.ServiceID != "" {
		v.Set("service_id", ref.ServiceID)
	}
	address := g.host + orders + "?" + v.Encode()
	var r reply
	for again := range 2 {
		if again > 0 {
			g.kept.CloseIdleConnections() // they are as old as the one that was dead
		}
		c := &call{signing: correction.NewSigning(g.now())}
		r = g.do(ctx, c, func(ctx context.Context) (*core.APIResult, error) { return g.query.Get(ctx, address) })
		if r.status != 0 || !c.reused.Load() || isTimeout(r.failure) {
			break
		}
	}
	o, err := r.order(ref)
	if err != nil {
		return correction.Reading{}, err
	}
	return correction.Reading{Order: o, At: g.now(), RequestID: r.requestID}, nil
}

// Modify makes the call once, with exactly these bytes and this signature time and
// nonce, on a connection of its own.
func (g *Gateway) Modify(ctx context.Context, ref correction.Ref, body []byte, s correction.Signing) correction.Answer {
	start := g.now()
	c := &call{signing: s}
	address := g.host + orders + "/" + url.PathEscape(ref.OutOrderNo) + "/modify"
	r := g.do(ctx, c, func(ctx context.Context) (*core.APIResult, error) { return g.modify.Post(ctx, address, body) })
	a := r.answer(c.connected.Load())
	a.Took = max(0, g.now().Sub(start))
	return a
}

// succeeded reports a status in the 200s.
func (r reply) succeeded() bool { return r.status/100 == 2 }

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || (errors.As(err, &t) && t.Timeout())
}
