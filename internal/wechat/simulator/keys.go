package simulator

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"correction-console/internal/wechat"
)

// Files that WriteKeys writes.
const (
	PrivateKeyFile   = "merchant-key.pem"         // of the service provider, mode 0600
	PublicKeyFile    = "wechatpay-public-key.pem" // public-key mode
	PlatformCertFile = "wechatpay-certificate.pem"
)

// MchID is the service provider's merchant number.
const MchID = "1900000001"

// Keys are both sides' keys.
type Keys struct {
	CertSerial   string          // of the service provider's API certificate
	Merchant     *rsa.PrivateKey // signs requests
	PublicKeyID  string
	Public       *rsa.PrivateKey // signs answers in public-key mode
	Platform     *rsa.PrivateKey // signs answers in certificate mode
	PlatformCert *x509.Certificate
}

// PlatformSerial is the serial number of the platform certificate as it stands in
// headers.
func (k *Keys) PlatformSerial() string {
	return strings.ToUpper(hex.EncodeToString(k.PlatformCert.SerialNumber.Bytes()))
}

// NewKeys makes new keys. That takes a second or so; SharedKeys is made once.
func NewKeys() (*Keys, error) {
	k := &Keys{CertSerial: strings.ToUpper(token(20)), PublicKeyID: "PUB_KEY_ID_01190000000120261123" + strings.ToUpper(token(9))}
	var err error
	for _, p := range []**rsa.PrivateKey{&k.Merchant, &k.Public, &k.Platform} {
		if *p, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, fmt.Errorf("generate key: %w", err)
		}
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 150))
	if err != nil {
		return nil, fmt.Errorf("generate serial number: %w", err)
	}
	now := time.Now()
	form := &x509.Certificate{
		SerialNumber: serial.SetBit(serial, 151, 1), Subject: pkix.Name{CommonName: "Tenpay.com sign (simulated)", Organization: []string{"simulator"}},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(5, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &k.Platform.PublicKey, k.Platform)
	if err != nil {
		return nil, fmt.Errorf("make platform certificate: %w", err)
	}
	if k.PlatformCert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("read platform certificate: %w", err)
	}
	return k, nil
}

// SharedKeys are the keys of all simulators of this process, made at first use.
var SharedKeys = sync.OnceValues(NewKeys)

func token(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// Keys returns the keys in use.
func (s *Server) Keys() *Keys { return s.keys }

// Config is what a gateway needs to talk to this simulator in public-key mode.
func (s *Server) Config() wechat.Config {
	return wechat.Config{
		Host: s.URL, Dial: s.dial, MchID: MchID, CertSerial: s.keys.CertSerial, PrivateKey: s.keys.Merchant,
		PublicKeyID: s.keys.PublicKeyID, PublicKey: &s.keys.Public.PublicKey,
	}
}

// CertConfig is Config in certificate mode.
func (s *Server) CertConfig() wechat.Config {
	c := s.Config()
	c.PublicKey, c.PublicKeyID, c.PlatformCerts = nil, "", []*x509.Certificate{s.keys.PlatformCert}
	return c
}

// WriteKeys writes the files of both modes to the folder, so that a program of its
// own can be pointed at the simulator.
func (s *Server) WriteKeys(dir string) error {
	private, err := x509.MarshalPKCS8PrivateKey(s.keys.Merchant)
	if err != nil {
		return fmt.Errorf("encode private key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&s.keys.Public.PublicKey)
	if err != nil {
		return fmt.Errorf("encode public key: %w", err)
	}
	for _, f := range []struct {
		name, kind string
		der        []byte
		mode       os.FileMode
	}{
		{PrivateKeyFile, "PRIVATE KEY", private, 0o600},
		{PublicKeyFile, "PUBLIC KEY", public, 0o644},
		{PlatformCertFile, "CERTIFICATE", s.keys.PlatformCert.Raw, 0o644},
	} {
		data := pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der})
		if err := os.WriteFile(filepath.Join(dir, f.name), data, f.mode); err != nil {
			return fmt.Errorf("write keys: %w", err)
		}
	}
	return nil
}
