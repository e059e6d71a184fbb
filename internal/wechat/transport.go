package wechat

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core/auth"
	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"

	"correction-console/internal/correction"
)

// Limits of an answer.
const (
	maxBody   = 1 << 20
	maxHeader = 64 << 10
)

// signatureWindow is how far the signature time of an answer may be off
// (domain.md §7).
const signatureWindow = 5 * time.Minute

var (
	errTooLarge  = errors.New("the answer is larger than 1 MiB")
	errSignature = errors.New("the answer's signature does not hold")
)

// call accompanies one request through the SDK in its context: the SDK chooses
// signature time and nonce itself, and offers no other way in.
type call struct {
	signing       correction.Signing
	authorization string      // set by signer, used by transport
	connected     atomic.Bool // a connection was handed to the request: bytes may have left
	reused        atomic.Bool // it had served another request before
	stamp         time.Time   // of an answer whose signature holds, however far it is off
}

type callKey struct{}

func callOf(ctx context.Context) (*call, error) {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return nil, errors.New("a request without a signature time")
	}
	return c, nil
}

// signer signs with the time and nonce of the call instead of those in the message
// that the SDK composed. The Authorization header that belongs to them is put in
// place by the transport.
type signer struct{ auth.Signer }

func (s signer) Sign(ctx context.Context, message string) (*auth.SignatureResult, error) {
	c, err := callOf(ctx)
	if err != nil {
		return nil, err
	}
	part := strings.SplitN(message, "\n", 5) // method, address, time, nonce, body and newline
	if len(part) != 5 {
		return nil, errors.New("the message to sign has another form than expected")
	}
	part[2], part[3] = strconv.FormatInt(c.signing.At.Unix(), 10), c.signing.Nonce
	r, err := s.Signer.Sign(ctx, strings.Join(part, "\n"))
	if err != nil {
		return nil, fmt.Errorf("sign request: %w", err)
	}
	c.authorization = fmt.Sprintf(consts.HeaderAuthorizationFormat,
		"WECHATPAY2-"+s.Algorithm(), r.MchID, c.signing.Nonce, c.signing.At.Unix(), r.CertificateSerialNo, r.Signature)
	return r, nil
}

// validator checks the signature of 2xx answers. The SDK's own reads the clock of
// the machine and hides whether reading or verifying failed.
type validator struct {
	verifier auth.Verifier
	now      func() time.Time
}

// Validate returns errSignature when the answer is not provably WeChat's, or not of
// this time, and the cause when it could not be read.
func (v validator) Validate(ctx context.Context, res *http.Response) error {
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	res.Body = io.NopCloser(strings.NewReader(string(body)))
	stamp := res.Header.Get(consts.WechatPayTimestamp)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return errSignature
	}
	nonce, serial, signature := res.Header.Get(consts.WechatPayNonce), res.Header.Get(consts.WechatPaySerial), res.Header.Get(consts.WechatPaySignature)
	if nonce == "" || serial == "" || signature == "" {
		return errSignature
	}
	if v.verifier.Verify(ctx, serial, stamp+"\n"+nonce+"\n"+string(body)+"\n", signature) != nil {
		return errSignature
	}
	at := time.Unix(seconds, 0)
	if c, err := callOf(ctx); err == nil {
		c.stamp = at
	}
	if v.now().Sub(at).Abs() >= signatureWindow {
		return errSignature
	}
	return nil
}

// GetAcceptSerial names the key that WeChat is asked to sign with.
func (v validator) GetAcceptSerial(ctx context.Context) (string, error) {
	serial, err := v.verifier.GetSerial(ctx)
	if err == nil && serial == "" {
		err = errors.New("no serial number")
	}
	return serial, err
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// only dials these hosts and refuses every other.
func only(hosts []host) dialer {
	d := &net.Dialer{KeepAlive: 30 * time.Second}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if !slices.ContainsFunc(hosts, func(h host) bool { return strings.EqualFold(h.address, address) }) {
			return nil, fmt.Errorf("dial %s: it is not a host of WeChat's", address)
		}
		return d.DialContext(ctx, network, address)
	}
}

// within bounds how long dialling takes: net/http goes on with it after the request
// has ended.
func (d dialer) within(limit time.Duration) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return d(ctx, network, address)
	}
}

// newHTTPClient returns a client that follows no redirect, asks no proxy and
// repeats nothing by itself. Without keepAlive every request gets a connection of
// its own, which net/http never repeats a request on.
func newHTTPClient(dial dialer, secure *tls.Config, keepAlive bool, timeout time.Duration) *http.Client {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	base := &http.Transport{
		Proxy:                  nil, // a proxy from the environment would see every order
		DialContext:            dial.within(timeout),
		TLSClientConfig:        secure,
		TLSHandshakeTimeout:    timeout,
		DisableKeepAlives:      !keepAlive,
		DisableCompression:     true, // so that the size limit counts what arrives
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        45 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
		Protocols:              &http1,
	}
	return &http.Client{
		Transport:     transport{base},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       timeout,
	}
}

type transport struct{ base *http.Transport }

// CloseIdleConnections closes the kept connections that serve no request.
func (t transport) CloseIdleConnections() { t.base.CloseIdleConnections() }

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	c, err := callOf(req.Context())
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Header.Set(consts.Authorization, c.authorization)
	if req.Body == nil {
		// An empty body that cannot be wound back keeps net/http from repeating the
		// request with the same nonce. Query repeats it with a new one.
		req.Body = io.NopCloser(strings.NewReader(""))
	}
	req.GetBody = nil
	res, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	res.Header.Del("Location") // nobody may follow it
	res.Body = &capped{ReadCloser: res.Body, left: maxBody}
	return res, nil
}

// capped fails with errTooLarge when there is more to read than the limit.
type capped struct {
	io.ReadCloser
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left < 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.ReadCloser.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return n, errTooLarge
	}
	return n, err
}
