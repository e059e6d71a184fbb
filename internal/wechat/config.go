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
	query    *core.Client
	modify   *core.Client
	kept     *http.Client // under query
	dial     dialer
	tls      *tls.Config
	switched func(host string, onBackup bool)

	mu     sync.Mutex
	on     int // index of the current host
	clock  clock
	health Health
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
	case strings.TrimSpace(c.CertSerial) == "":
		return nil, errors.New("set up WeChat Pay: no certificate serial number")
	case c.PrivateKey == nil:
		return nil, errors.New("set up WeChat Pay: no private key")
	}
	verifier, err := c.verifier()
	if err == nil {
		err = errors.Join(c.OwnKeys())
	}
	if err != nil {
		return nil, fmt.Errorf("set up WeChat Pay: %w", err)
	}
	g := &Gateway{
		hosts: hosts, timeout: c.Timeout, now: c.Now, dial: c.Dial, switched: c.Switched,
		tls: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.CA},
	}
	if g.timeout <= 0 {
		g.timeout = DefaultTimeout
	}
	if g.now == nil {
		g.now = time.Now
	}
	client := func(h *http.Client) (*core.Client, error) {
		return core.NewClientWithDialSettings(context.Background(), &core.DialSettings{
			HTTPClient: h,
			Signer:     signer{&signers.SHA256WithRSASigner{MchID: c.MchID, CertificateSerialNo: c.CertSerial, PrivateKey: c.PrivateKey}},
			Validator:  validator{verifier: verifier, now: g.now},
		})
	}
	if g.dial == nil {
		g.dial = only(hosts)
	}
	g.kept = newHTTPClient(g.dial, g.tls, true, g.timeout)
	if g.query, err = client(g.kept); err != nil {
		return nil, fmt.Errorf("set up WeChat Pay: %w", err)
	}
	if g.modify, err = client(newHTTPClient(g.dial, g.tls, false, g.timeout)); err != nil {
		return nil, fmt.Errorf("set up WeChat Pay: %w", err)
	}
	return g, nil
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
