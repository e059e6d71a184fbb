package wechat

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/signers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"

	"correction-console/internal/correction"
)

// DefaultTimeout bounds one call when Config.Timeout is 0.
const DefaultTimeout = 20 * time.Second

// Config is everything a Gateway needs. Either the public key with its id, or
// platform certificates, or, while WeChat switches a service provider from one to
// the other, both.
type Config struct {
	Host       string // scheme and host, such as https://api.mch.weixin.qq.com
	BackupHost string // to fail over to, in the same form; empty = none
	MchID      string // the service provider's merchant number
	CertSerial string // serial number of its API certificate
	PrivateKey *rsa.PrivateKey

	PublicKeyID   string // PUB_KEY_ID_…
	PublicKey     *rsa.PublicKey
	PlatformCerts []*x509.Certificate

	CA      *x509.CertPool // nil = the system's
	Timeout time.Duration  // of one call, connecting and reading included; 0 = DefaultTimeout
	Now     func() time.Time

	// Dial opens connections; nil = a dialer that refuses every host and port but
	// those of Host and BackupHost.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Switched is told after every switch to the other host; nil = nobody. The host
	// is written scheme://host.
	Switched func(host string, onBackup bool)
}

// Gateway is WeChat Pay over the network. It implements correction.Gateway and is
// safe for concurrent use.
type Gateway struct {
	hosts    []host // the main one, and the backup if there is one
	timeout  time.Duration
	now      func() time.Time
	mchID    string
	dial     dialer
	switched func(host string, onBackup bool)

	clients atomic.Pointer[clients]

	mu     sync.Mutex
	on     int // index of the current host
	clock  clock
	health Health
}

// clients are what holds keys. A call keeps those that it began with.
type clients struct {
	query  *core.Client
	modify *core.Client
	kept   *http.Client // under query
	tls    *tls.Config
}

// host is one of WeChat's.
type host struct {
	url     string // scheme://host
	address string // host:port that is dialled
	secure  bool
}

var _ correction.Gateway = (*Gateway)(nil)

// New checks the settings and returns a gateway. It does not use the network.
func New(c Config) (*Gateway, error) {
	var hosts []host
	for i, s := range []string{c.Host, c.BackupHost} {
		if i > 0 && s == "" {
			break
		}
		h, err := parseHost(s)
		if err != nil {
			return nil, fmt.Errorf("set up WeChat Pay: %w", err)
		}
		hosts = append(hosts, h)
	}
	switch {
	case len(hosts) > 1 && strings.EqualFold(hosts[0].address, hosts[1].address):
		return nil, errors.New("set up WeChat Pay: the backup host is the main host")
	case c.MchID == "":
		return nil, errors.New("set up WeChat Pay: no merchant number")
	}
	g := &Gateway{hosts: hosts, timeout: c.Timeout, now: c.Now, mchID: c.MchID, dial: c.Dial, switched: c.Switched}
	if g.timeout <= 0 {
		g.timeout = DefaultTimeout
	}
	if g.now == nil {
		g.now = time.Now
	}
	if g.dial == nil {
		g.dial = only(hosts)
	}
	if err := g.Rekey(c); err != nil {
		return nil, err
	}
	return g, nil
}

// Rekey puts the keys and certificates of c in the place of those in use, all of them
// or, with an error, none; the rest of c is left alone. Calls that are under way end
// with the keys that they began with.
func (g *Gateway) Rekey(c Config) error {
	switch {
	case strings.TrimSpace(c.CertSerial) == "":
		return errors.New("set up WeChat Pay: no certificate serial number")
	case c.PrivateKey == nil:
		return errors.New("set up WeChat Pay: no private key")
	}
	verifier, err := c.verifier()
	if err != nil {
		return fmt.Errorf("set up WeChat Pay: %w", err)
	}
	client := func(h *http.Client) (*core.Client, error) {
		return core.NewClientWithDialSettings(context.Background(), &core.DialSettings{
			HTTPClient: h,
			Signer:     signer{&signers.SHA256WithRSASigner{MchID: g.mchID, CertificateSerialNo: c.CertSerial, PrivateKey: c.PrivateKey}},
			Validator:  validator{verifier: verifier, now: g.now},
		})
	}
	next := &clients{tls: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.CA}}
	next.kept = newHTTPClient(g.dial, next.tls, true, g.timeout)
	if next.query, err = client(next.kept); err != nil {
		return fmt.Errorf("set up WeChat Pay: %w", err)
	}
	if next.modify, err = client(newHTTPClient(g.dial, next.tls, false, g.timeout)); err != nil {
		return fmt.Errorf("set up WeChat Pay: %w", err)
	}
	if old := g.clients.Swap(next); old != nil {
		old.kept.CloseIdleConnections() // nobody asks on them any more
	}
	return nil
}

// parseHost reads scheme://host[:port].
func parseHost(s string) (host, error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http") || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" ||
		strings.ContainsFunc(u.Host, func(r rune) bool { return r > unicode.MaxASCII }) {
		return host{}, fmt.Errorf("host %q is not scheme and host", s)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return host{url: u.Scheme + "://" + u.Host, address: net.JoinHostPort(u.Hostname(), port), secure: u.Scheme == "https"}, nil
}

// verifier picks what answers are checked with. The SDK panics on a missing public
// key and on a certificate without an RSA key, so both are refused here.
func (c Config) verifier() (auth.Verifier, error) {
	for _, cert := range c.PlatformCerts {
		if cert == nil {
			return nil, errors.New("a platform certificate is missing")
		}
		if _, ok := cert.PublicKey.(*rsa.PublicKey); !ok {
			return nil, errors.New("a platform certificate holds no RSA key")
		}
	}
	if (c.PublicKey == nil) != (c.PublicKeyID == "") {
		return nil, errors.New("the public key and its id belong together")
	}
	if err := errors.Join(c.OwnKeys()); err != nil {
		return nil, err
	}
	certs := core.NewCertificateMapWithList(c.PlatformCerts)
	switch {
	case c.PublicKey != nil && len(c.PlatformCerts) > 0:
		return verifiers.NewSHA256WithRSACombinedVerifier(certs, c.PublicKeyID, *c.PublicKey), nil
	case c.PublicKey != nil:
		return verifiers.NewSHA256WithRSAPubkeyVerifier(c.PublicKeyID, *c.PublicKey), nil
	case len(c.PlatformCerts) > 0:
		return verifiers.NewSHA256WithRSAVerifier(certs), nil
	}
	return nil, errors.New("neither a public key nor platform certificates to verify answers with")
}
