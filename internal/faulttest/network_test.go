package faulttest

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/wechat"
	"correction-console/internal/wechat/simulator"
)

// way is what becomes of a connection. Nil, nil: it is made.
type way func(ctx context.Context) (net.Conn, error)

// cut is a fault of the network: the connections of some calls.
type cut struct {
	call  string // simulator.CallQuery or CallModify; empty = any
	host  string // host:port; empty = any
	order string // empty = any
	skip  int    // matching calls to let pass first
	times int    // calls; 0 = all
	how   way
}

// network is between the gateway and the simulator. It serves every host.
type network struct {
	pipe *simulator.PipeListener

	mu      sync.Mutex
	cuts    []*cut
	conns   []net.Conn
	queries map[string][]time.Time // when orders were asked for, by number
	dialled []string
}

func newNetwork() *network {
	return &network{pipe: simulator.Pipe(), queries: map[string][]time.Time{}}
}

func (n *network) cut(c cut) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts = append(n.cuts, &c)
}

// heal ends all faults.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts = nil
}

func (n *network) close() {
	n.pipe.Close()
	n.hangUp()
}

// hangUp closes every connection that was made, as the other side may at any time.
func (n *network) hangUp() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		c.Close()
	}
	n.conns = nil
}

// asked lists when an order was asked for.
func (n *network) asked(no string) []time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.queries[no])
}

type callKey struct{}

// calling is a call of the gateway, for the dialler.
type calling struct {
	call string
	cuts []*cut // that it meets
}

// begin is the call's way through the faults of the network.
func (n *network) begin(ctx context.Context, call, no string) context.Context {
	n.mu.Lock()
	c := calling{call: call}
	for _, x := range slices.Clone(n.cuts) {
		if x.call != "" && x.call != call || x.order != "" && x.order != no {
			continue
		}
		if x.skip > 0 {
			x.skip--
			continue
		}
		c.cuts = append(c.cuts, x)
		if x.times--; x.times == 0 {
			n.cuts = slices.DeleteFunc(n.cuts, func(y *cut) bool { return y == x })
		}
	}
	if call == simulator.CallQuery {
		n.queries[no] = append(n.queries[no], time.Now())
	}
	n.mu.Unlock()
	if len(c.cuts) > 0 { // a kept connection would need no new one
		n.hangUp()
		time.Sleep(time.Nanosecond) // virtual: until everybody noticed
	}
	return context.WithValue(ctx, callKey{}, c)
}

func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dialled = append(n.dialled, address)
	n.mu.Unlock()
	c, _ := ctx.Value(callKey{}).(calling)
	for _, x := range c.cuts {
		if x.host != "" && x.host != address {
			continue
		}
		if conn, err := x.how(ctx); conn != nil || err != nil {
			return n.keep(conn), err
		}
	}
	conn, err := n.pipe.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return n.keep(conn), nil
}

func (n *network) keep(c net.Conn) net.Conn {
	if c == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns = append(n.conns, c)
	return c
}

// gate tells the network which call a connection is for.
type gate struct {
	*wechat.Gateway
	net *network
}

func (g *gate) Query(ctx context.Context, ref correction.Ref) (correction.Reading, error) {
	return g.Gateway.Query(g.net.begin(ctx, simulator.CallQuery, ref.OutOrderNo), ref)
}

func (g *gate) Modify(ctx context.Context, ref correction.Ref, body []byte, s correction.Signing) correction.Answer {
	return g.Gateway.Modify(g.net.begin(ctx, simulator.CallModify, ref.OutOrderNo), ref, body, s)
}

// fails is a connection that is not made.
func fails(err error) way { return func(context.Context) (net.Conn, error) { return nil, err } }

func dialError(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }

var (
	refuse      = fails(dialError(syscall.ECONNREFUSED))
	unreachable = fails(dialError(syscall.EHOSTUNREACH))
	noSuchHost  = fails(dialError(&net.DNSError{Err: "no such host", Name: "sim", IsNotFound: true}))
	dnsTimeout  = fails(dialError(&net.DNSError{Err: "i/o timeout", Name: "sim", IsTimeout: true}))
	dnsServFail = fails(dialError(&net.DNSError{Err: "server misbehaving", Name: "sim", IsTemporary: true}))
)

// hang is a connection that is never made.
func hang(ctx context.Context) (net.Conn, error) {
	<-ctx.Done()
	return nil, dialError(ctx.Err())
}

// peer is a connection to somebody who does as f says and then hangs up.
func peer(f func(net.Conn)) way {
	return func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			f(theirs)
		}()
		return ours, nil
	}
}

// hangsUpAfter is a connection that ends after so many bytes.
func hangsUpAfter(n int64) way {
	return peer(func(c net.Conn) { _, _ = io.CopyN(io.Discard, c, n) })
}

// impostor is a connection to somebody with other certificates. Nobody must send them
// anything.
func impostor(config *tls.Config) way {
	return peer(func(c net.Conn) {
		s := tls.Server(c, config)
		if s.Handshake() == nil {
			_, _ = io.ReadAll(s) // a request would only get through to an accepted certificate
		}
	})
}

// forger is a connection to somebody who knows everything about WeChat's answers but
// its key: a modify call is said to be accepted, an order to be lowered by others. No
// request gets through.
func forger() way {
	return peer(func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		status, body := "204 No Content", ""
		if r.Method == http.MethodGet {
			status = "200 OK"
			body = fmt.Sprintf(`{"out_order_no":%q,"sub_mchid":%q,"service_id":%q,"state":"DOING","state_description":"MCH_COMPLETE","total_amount":1,`+
				`"post_payments":[{"name":"x","amount":1}],"collection":{"state":"USER_PAYING","total_amount":1}}`, r.URL.Query().Get("out_order_no"), mch, serviceID)
		}
		k, err := keys()
		if err != nil {
			panic(err)
		}
		stamp := strconv.FormatInt(time.Now().Unix(), 10)
		sum := sha256.Sum256([]byte(stamp + "\nnonce\n" + body + "\n"))
		signature, err := rsa.SignPKCS1v15(rand.Reader, k.Merchant, crypto.SHA256, sum[:]) // ours, not WeChat's
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(c, "HTTP/1.1 %s\r\nWechatpay-Timestamp: %s\r\nWechatpay-Nonce: nonce\r\nWechatpay-Serial: %s\r\nWechatpay-Signature: %s\r\nConnection: close\r\n",
			status, stamp, k.PublicKeyID, base64.StdEncoding.EncodeToString(signature))
		if body != "" {
			fmt.Fprintf(c, "Content-Length: %d\r\n", len(body))
		}
		_, _ = io.WriteString(c, "\r\n"+body)
	})
}

// chain is what the hosts of the tests show, and the authority that is trusted.
type chain struct {
	pool                            *x509.CertPool
	good, expired, early, otherName tls.Certificate
	foreign                         tls.Certificate // of an authority that nobody trusts
}

var certificates = sync.OnceValues(func() (chain, error) {
	var c chain
	long, before := t0.AddDate(10, 0, 0), t0.AddDate(-10, 0, 0)
	ca, caKey, err := certify("Test Authority", before, long, nil, nil)
	if err != nil {
		return c, err
	}
	stranger, strangerKey, err := certify("Other Authority", before, long, nil, nil)
	if err != nil {
		return c, err
	}
	c.pool = x509.NewCertPool()
	c.pool.AddCert(ca)
	for _, x := range []struct {
		to        *tls.Certificate
		name      string
		from, to2 time.Time
		ca        *x509.Certificate
		key       *ecdsa.PrivateKey
	}{
		{&c.good, "sim", before, long, ca, caKey},
		{&c.expired, "sim", before, t0.Add(-time.Hour), ca, caKey},
		{&c.early, "sim", t0.AddDate(1, 0, 0), long, ca, caKey},
		{&c.otherName, "elsewhere", before, long, ca, caKey},
		{&c.foreign, "sim", before, long, stranger, strangerKey},
	} {
		leaf, key, err := certify(x.name, x.from, x.to2, x.ca, x.key)
		if err != nil {
			return c, err
		}
		*x.to = tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	}
	return c, nil
})

// certify makes a certificate, signed by ca, or an authority when there is none.
func certify(name string, from, to time.Time, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: []string{name},
	}
	if ca == nil {
		form.IsCA, form.BasicConstraintsValid, form.KeyUsage, form.DNSNames, form.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil, nil
		ca, caKey = form, key
	}
	der, err := x509.CreateCertificate(rand.Reader, form, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

// known is certificates for after shared has made them.
func known() chain {
	c, err := certificates()
	if err != nil {
		panic(err)
	}
	return c
}

func authority() *x509.CertPool { return known().pool }

func shows(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }

func good() *tls.Config { return shows(known().good) }
