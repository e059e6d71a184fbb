package wechat

import (
	"crypto/rsa"
	"errors"
)

// ErrOwnKey is returned for a key or certificate that is said to be WeChat Pay's, and is
// the merchant's own: the signature of no answer would hold.
var ErrOwnKey = errors.New("that is the merchant's own key, not WeChat Pay's: download WeChat Pay's from the merchant platform")

// OwnKeys reports with ErrOwnKey what of the public key and of the platform certificates
// is the merchant's own.
func (c Config) OwnKeys() (publicKey, certificates error) {
	if c.PrivateKey == nil {
		return nil, nil
	}
	if c.PublicKey != nil && c.PublicKey.Equal(&c.PrivateKey.PublicKey) {
		publicKey = ErrOwnKey
	}
	for _, cert := range c.PlatformCerts {
		if k, ok := cert.PublicKey.(*rsa.PublicKey); ok && k.Equal(&c.PrivateKey.PublicKey) {
			certificates = ErrOwnKey
		}
	}
	return publicKey, certificates
}
