package simulator

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	ordersPath = "/v3/payscore/partner/serviceorder"
	scheme     = "WECHATPAY2-SHA256-RSA2048"
	window     = 5 * time.Minute
	maxRequest = 1 << 20
)

// Server is a Pay Score API. Safe for concurrent use.
type Server struct {
	URL  string // scheme and host, once it listens
	keys *Keys
	dial func(ctx context.Context, network, address string) (net.Conn, error) // nil = over the network
	done chan struct{}
	once sync.Once

	mu       sync.Mutex
	closers  []func() error // one a listener
	clock    func() time.Time
	orders   map[key]*entry
	sequence []key
	log      []Post
	posts    map[string]int
	queries  map[string]int
	applied  map[string]int
	bodies   map[string][]byte
	nonces   map[string]time.Time
	requests int
	minGap   time.Duration
	faults   []*Fault
	chaos    chaos
	earlier  map[past]answered
}

// Option changes a new server.
type Option func(*Server)

// WithKeys uses these keys instead of those shared by the process.
func WithKeys(k *Keys) Option { return func(s *Server) { s.keys = k } }

// New returns a server without orders that does not listen. It is an http.Handler.
func New(opts ...Option) (*Server, error) {
	s := &Server{
		clock: time.Now, done: make(chan struct{}), orders: map[key]*entry{}, posts: map[string]int{}, queries: map[string]int{},
		applied: map[string]int{}, bodies: map[string][]byte{}, nonces: map[string]time.Time{}, earlier: map[past]answered{},
	}
	for _, o := range opts {
		o(s)
	}
	if s.keys == nil {
		k, err := SharedKeys()
		if err != nil {
			return nil, err
		}
		s.keys = k
	}
	return s, nil
}

type connKey struct{}

// Start returns a server without orders that listens on the address, such as
// 127.0.0.1:0.
func Start(listen string, opts ...Option) (*Server, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("start simulator: %w", err)
	}
	s, err := Serve(l, opts...)
	if err != nil {
		l.Close()
	}
	return s, err
}

// Serve returns a server without orders that serves the listener, which Close
// closes. Its Config dials a listener of Pipe in memory.
func Serve(l net.Listener, opts ...Option) (*Server, error) {
	s, err := New(opts...)
	if err != nil {
		return nil, err
	}
	s.URL, _ = s.serveOn(l)
	if p, ok := l.(*PipeListener); ok {
		s.dial = p.Dial
	}
	return s, nil
}

// Listen adds a listener with the same orders, such as that of a backup host. close
// closes it and the connections made through it; Close does so too.
func (s *Server) Listen(address string) (url string, close func() error, err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", nil, fmt.Errorf("add listener: %w", err)
	}
	url, close = s.serveOn(l)
	return url, close, nil
}

func (s *Server) serveOn(l net.Listener) (url string, close func() error) {
	h := &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, new(atomic.Int32))
		},
	}
	close = func() error {
		err := h.Close()
		_ = l.Close() // in case that Serve has not got hold of it yet
		return err
	}
	s.mu.Lock()
	s.closers = append(s.closers, close)
	s.mu.Unlock()
	go h.Serve(l)
	return "http://" + l.Addr().String(), close
}

// Close stops listening and ends every call that hangs. Changes that are still to
// take effect never do.
func (s *Server) Close() error {
	s.once.Do(func() { close(s.done) })
	s.mu.Lock()
	closers := slices.Clone(s.closers)
	s.mu.Unlock()
	var errs []error
	for _, f := range closers {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// refusal is an error answer. It is not signed, as WeChat's are not.
type refusal struct {
	status  int
	code    string
	message string
	tail    string // WeChat's number of the error, the end of the Request-ID
	field   string // detail, if any
}

func param(field, message string) *refusal {
	return &refusal{400, "PARAM_ERROR", message, "268435464", field}
}

func business(message, tail string) *refusal {
	return &refusal{400, "INVALID_REQUEST", message, tail, ""}
}

var (
	signError = func(message string) *refusal { return &refusal{401, "SIGN_ERROR", message, "270924332", ""} }
	notExist  = &refusal{404, "ORDER_NOT_EXIST", "订单不存在", "271317510", ""}
	busy      = business("单据正在扣款中，请稍后重试", "271316754")
)

// request is one call, read and verified.
type request struct {
	call   string // CallQuery or CallModify
	no     string
	host   string // as the caller names it
	body   []byte
	serial string // key that the caller wants the answer signed with
	first  bool   // on its connection
	nth    int    // call of its kind for the number, from 1
	post   int    // index in the log, of a modify call
}

// ServeHTTP verifies the request, lets a scripted fault have its way, and answers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := request{first: true, host: r.Host, serial: s.keys.PublicKeyID}
	if n, ok := r.Context().Value(connKey{}).(*atomic.Int32); ok {
		q.first = n.Add(1) == 1
	}
	if no, ok := trimNo(r.URL.EscapedPath(), "/modify"); ok {
		q.call = CallModify
		q.no, _ = url.PathUnescape(no)
	} else if r.URL.EscapedPath() == ordersPath {
		q.call = CallQuery
		q.no = r.URL.Query().Get("out_order_no")
	}
	var err error
	q.body, err = io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	s.mu.Lock()
	s.requests++
	switch q.call {
	case CallModify:
		s.posts[q.no]++
		s.bodies[q.no] = q.body
		q.nth, q.post = s.posts[q.no], len(s.log)
		s.log = append(s.log, s.arrived(r, q))
	case CallQuery:
		s.queries[q.no]++
		q.nth = s.queries[q.no]
	}
	s.mu.Unlock()
	if err != nil {
		return // the caller went away in the middle
	}
	if refused := s.verify(r, &q); refused != nil {
		s.refuse(w, refused)
		return
	}
	s.note(q, func(p *Post) { p.Verified = true })
	s.serve(w, r, q)
}

// answer does what the call asks for.
func (s *Server) answer(r *http.Request, q request) (status int, body []byte, refused *refusal) {
	if q.call == CallModify {
		return http.StatusNoContent, nil, s.modify(q)
	}
	return s.query(r)
}

var noncePattern = regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`)

// verify checks everything about a request that does not depend on the order
// (domain.md §1, §7).
func (s *Server) verify(r *http.Request, q *request) *refusal {
	switch {
	case q.call == "":
		return &refusal{404, "RESOURCE_NOT_EXISTS", "无可用的平台接口", "268435470", ""}
	case q.call == CallModify && r.Method != http.MethodPost, q.call == CallQuery && r.Method != http.MethodGet:
		return &refusal{405, "METHOD_NOT_ALLOWED", "不支持的请求方法", "268435471", ""}
	case len(q.body) > maxRequest:
		return &refusal{413, "INVALID_REQUEST", "请求包体过大", "268435464", ""}
	}
	if refused := s.verifySignature(r, q); refused != nil {
		return refused
	}
	accept, _, _ := strings.Cut(r.Header.Get("Accept"), ";")
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch {
	case accept != "application/json" && accept != "*/*":
		return &refusal{406, "INVALID_REQUEST", "Http头缺少Accept或不支持", "268435464", ""}
	case q.call == CallModify && kind != "application/json":
		return &refusal{415, "INVALID_REQUEST", "Http头Content-Type须为application/json", "268435464", ""}
	case r.Header.Get("User-Agent") == "":
		return &refusal{400, "INVALID_REQUEST", "Http头缺少User-Agent", "268435464", ""}
	case q.call == CallQuery && len(q.body) > 0:
		return param("body", "查询不带包体")
	}
	if serial := r.Header.Get("Wechatpay-Serial"); serial != "" {
		if serial != s.keys.PublicKeyID && serial != s.keys.PlatformSerial() {
			return &refusal{400, "PARAM_ERROR", "Http头Wechatpay-Serial无效", "268435464", ""}
		}
		q.serial = serial
	}
	return nil
}

var fieldPattern = regexp.MustCompile(`^(mchid|nonce_str|timestamp|serial_no|signature)="([^"]*)"$`)

func (s *Server) verifySignature(r *http.Request, q *request) *refusal {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return signError("Http头缺少Authorization")
	}
	rest, ok := strings.CutPrefix(values[0], scheme+" ")
	if !ok {
		return signError("Http头Authorization认证类型不正确")
	}
	f := map[string]string{}
	for _, part := range strings.Split(rest, ",") {
		m := fieldPattern.FindStringSubmatch(part)
		if m == nil {
			return signError("Http头Authorization格式错误")
		}
		if _, twice := f[m[1]]; twice {
			return signError("Http头Authorization字段重复")
		}
		f[m[1]] = m[2]
	}
	switch {
	case len(f) != 5:
		return signError("Http头Authorization缺少字段")
	case f["mchid"] != MchID:
		return signError("商户号与签名不符")
	case f["serial_no"] != s.keys.CertSerial:
		return signError("商户证书序列号有误")
	case !noncePattern.MatchString(f["nonce_str"]):
		return signError("Http头Authorization中的nonce_str有误")
	}
	now := s.now()
	seconds, err := strconv.ParseInt(f["timestamp"], 10, 64)
	if err != nil || strconv.FormatInt(seconds, 10) != f["timestamp"] || now.Sub(time.Unix(seconds, 0)).Abs() > window {
		return signError("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
	}
	signature, err := base64.StdEncoding.DecodeString(f["signature"])
	if err != nil {
		return signError("签名值不是base64")
	}
	// RequestURI holds the bytes as they arrived: what was signed must be what was sent.
	sum := sha256.Sum256([]byte(r.Method + "\n" + r.RequestURI + "\n" + f["timestamp"] + "\n" + f["nonce_str"] + "\n" + string(q.body) + "\n"))
	if rsa.VerifyPKCS1v15(&s.keys.Merchant.PublicKey, crypto.SHA256, sum[:], signature) != nil {
		return signError("签名错误，验签失败")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, used := s.nonces[f["nonce_str"]]; used {
		return signError("nonce_str重复使用")
	}
	if len(s.nonces) > 1<<16 {
		for n, at := range s.nonces {
			if now.Sub(at) > 2*window {
				delete(s.nonces, n)
			}
		}
	}
	s.nonces[f["nonce_str"]] = now
	return nil
}

// sign puts WeChat's signature headers in place.
func (s *Server) sign(h http.Header, at time.Time, serial string, body []byte) {
	k := s.keys.Public
	if serial == s.keys.PlatformSerial() {
		k = s.keys.Platform
	}
	nonce, stamp := token(16), strconv.FormatInt(at.Unix(), 10)
	sum := sha256.Sum256([]byte(stamp + "\n" + nonce + "\n" + string(body) + "\n"))
	signature, err := rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:])
	if err != nil { // a valid key and a digest of the right length: cannot fail
		panic(err)
	}
	h.Set("Wechatpay-Timestamp", stamp)
	h.Set("Wechatpay-Nonce", nonce)
	h.Set("Wechatpay-Serial", serial)
	h.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(signature))
	h.Set("Wechatpay-Signature-Type", scheme)
}

func requestID(tail string) string {
	return "08" + strings.ToUpper(token(9)) + "-" + tail
}

// date sets the header Date by WeChat's clock.
func (s *Server) date(w http.ResponseWriter) {
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
}

// head sets the headers of a signed answer.
func (s *Server) head(w http.ResponseWriter, q request, body []byte) {
	w.Header().Set("Request-ID", requestID("0"))
	s.date(w)
	s.sign(w.Header(), s.now(), q.serial, body)
	if body != nil {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
}

// succeed sends a signed answer.
func (s *Server) succeed(w http.ResponseWriter, q request, status int, body []byte) {
	s.head(w, q, body)
	w.WriteHeader(status)
	w.Write(body)
}

func (s *Server) refuse(w http.ResponseWriter, e *refusal) {
	m := map[string]any{"code": e.code, "message": e.message}
	if e.field != "" {
		m["detail"] = map[string]any{"location": "body", "field": e.field, "issue": e.message}
	}
	body := marshal(m)
	w.Header().Set("Request-ID", requestID(e.tail))
	s.date(w)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(e.status)
	w.Write(body)
}

// query answers a query (domain.md §3).
func (s *Server) query(r *http.Request) (int, []byte, *refusal) {
	v, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, nil, param("query", "查询参数格式错误")
	}
	for name, values := range v {
		switch name {
		case "sub_mchid", "service_id", "out_order_no", "query_id":
		default:
			return 0, nil, param(name, "请求中含有未在API文档中定义的参数")
		}
		if len(values) != 1 {
			return 0, nil, param(name, "参数重复")
		}
	}
	switch {
	case v.Get("sub_mchid") == "":
		return 0, nil, param("sub_mchid", "缺少子商户号")
	case v.Has("out_order_no") == v.Has("query_id"):
		return 0, nil, param("out_order_no", "out_order_no与query_id不允许都填写或都不填写")
	}
	o, ok := s.Order(v.Get("sub_mchid"), v.Get("out_order_no"))
	if !ok || (v.Has("service_id") && v.Get("service_id") != o.ServiceID) {
		return 0, nil, notExist
	}
	return http.StatusOK, marshal(o.wire()), nil
}

func marshal(m map[string]any) []byte {
	body, err := json.Marshal(m)
	if err != nil { // strings, integers, lists and objects of them: cannot fail
		panic(err)
	}
	return body
}
