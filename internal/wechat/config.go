package wechat

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
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
	// Host's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Gateway is WeChat Pay over the network. It implements correction.Gateway and is
// safe for concurrent use.
type Gateway struct {
	host    string
	timeout time.Duration
	now     func() time.Time
	query   *core.Client
	modify  *core.Client
	kept    *http.Client // under query
}

var _ correction.Gateway = (*Gateway)(nil)

// New checks the settings and returns a gateway. It does not use the network.
func New(c Config) (*Gateway, error) {
	host, address, err := parseHost(c.Host)
	if err != nil {
		return nil, fmt.Errorf("set up WeChat Pay: %w", err)
	}
	switch {
	case c.MchID == "":
		return nil, errors.New("set up WeChat Pay: no merchant number")
	case strings.TrimSpace(c.CertSerial) == "":
		return nil, errors.New("set up WeChat Pay: no certificate serial number")
	case c.PrivateKey == nil:
		return nil, errors.New("set up WeChat Pay: no private key")
	}
	verifier, err := c.verifier()
	if err != nil {
		return nil, fmt.Errorf("set up WeChat Pay: %w", err)
	}
	g := &Gateway{host: host, timeout: c.Timeout, now: c.Now}
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
	dial := c.Dial
	if dial == nil {
		dial = only(address)
	}
	g.kept = newHTTPClient(dial, c.CA, true, g.timeout)
	if g.query, err = client(g.kept); err != nil {
		return nil, fmt.Errorf("set up WeChat Pay: %w", err)
	}
	if g.modify, err = client(newHTTPClient(dial, c.CA, false, g.timeout)); err != nil {
		return nil, fmt.Errorf("set up WeChat Pay: %w", err)
	}
	return g, nil
}

// parseHost splits scheme://host[:port] off an address and names the host and port
// that will be dialled.
func parseHost(s string) (host, address string, err error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http") || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" ||
		strings.ContainsFunc(u.Host, func(r rune) bool { return r > unicode.MaxASCII }) {
		return "", "", fmt.Errorf("host %q is not scheme and host", s)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + u.Host, net.JoinHostPort(u.Hostname(), port), nil
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
