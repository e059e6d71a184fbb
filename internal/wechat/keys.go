package wechat

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxKeyFile bounds what is read of a key or certificate file, in bytes.
const maxKeyFile = 1 << 20

// LoadPrivateKey reads the API certificate's RSA key from a PEM file. The file must
// be a regular one that nobody but its owner may read.
func LoadPrivateKey(path string) (*rsa.PrivateKey, error) {
	data, err := readKey(path, true)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s: holds no PEM block", path)
	}
	if block.Type == "RSA PRIVATE KEY" {
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: holds no readable RSA private key", path)
		}
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if block.Type != "PRIVATE KEY" || err != nil || !ok {
		return nil, fmt.Errorf("%s: holds no readable RSA private key (apiclient_key.pem)", path)
	}
	return key, nil
}

// LoadPublicKey reads WeChat Pay's public key from a PEM file.
func LoadPublicKey(path string) (*rsa.PublicKey, error) {
	data, err := readKey(path, false)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s: holds no PEM block", path)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, ok := parsed.(*rsa.PublicKey)
	if block.Type != "PUBLIC KEY" || err != nil || !ok {
		return nil, fmt.Errorf("%s: holds no readable RSA public key (pub_key.pem)", path)
	}
	return key, nil
}

// LoadCertificates reads platform certificates from PEM files, one or more a file.
func LoadCertificates(paths []string) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for _, path := range paths {
		certs, err := certificates(path)
		if err != nil {
			return nil, err
		}
		for _, c := range certs {
			if _, ok := c.PublicKey.(*rsa.PublicKey); !ok {
				return nil, fmt.Errorf("%s: holds a certificate without an RSA key", path)
			}
		}
		out = append(out, certs...)
	}
	return out, nil
}

// LoadCA reads the certificates that WeChat's host is checked with, instead of the
// system's, from a PEM file.
func LoadCA(path string) (*x509.CertPool, error) {
	certs, err := certificates(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool, nil
}

func certificates(path string) ([]*x509.Certificate, error) {
	data, err := readKey(path, false)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil {
			return nil, fmt.Errorf("%s: holds something else than certificates", path)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: holds no certificate", path)
	}
	return out, nil
}

// ReadSecret reads a key file: a regular one that nobody but its owner may read.
func ReadSecret(path string) ([]byte, error) { return readKey(path, true) }

func readKey(path string, secret bool) ([]byte, error) {
	if err := fit(path, os.Stat, secret); err != nil { // before opening: a pipe would block
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be opened: %w", path, plain(err))
	}
	defer f.Close()
	if err := fit(path, func(string) (os.FileInfo, error) { return f.Stat() }, secret); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be read: %w", path, plain(err))
	}
	return data, nil
}

func fit(path string, stat func(string) (os.FileInfo, error), secret bool) error {
	info, err := stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("%s: cannot be opened: %w", path, plain(err))
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: is not a regular file", path)
	case secret && info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s: may be read by others than its owner (mode %04o); run chmod 600", path, info.Mode().Perm())
	}
	return nil
}

// plain takes the path out of an error that will be named with it.
func plain(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
