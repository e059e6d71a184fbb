package auth

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Why what was kept is not given back.
var (
	// ErrNotTheirs is of text that somebody else typed.
	ErrNotTheirs = errors.New("somebody else typed it")
	// ErrUnreadable is of text that this console did not seal.
	ErrUnreadable = errors.New("what was kept cannot be read")
)

// maxKept bounds what is unpacked, in bytes.
const maxKept = 1 << 20

// What is sealed, for what: one is not taken for the other.
const (
	sealForm   = "form"
	sealTypist = "typist"
)

// Seal closes what a person typed, so that a browser can carry it through a sign-in:
// nobody can read it there, and Open gives it to nobody else.
func (s *Sessions) Seal(userID int64, text string) (string, error) {
	plain := bytes.NewBuffer(binary.BigEndian.AppendUint64(nil, uint64(userID)))
	w, err := flate.NewWriter(plain, flate.BestSpeed)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return "", fmt.Errorf("seal a form: %w", err)
	}
	return s.seal(plain.Bytes(), sealForm), nil
}

// Open returns what Seal closed for the person: ErrNotTheirs, ErrUnreadable.
func (s *Sessions) Open(userID int64, sealed string) (string, error) {
	plain, err := s.unseal(sealed, sealForm)
	if err != nil {
		return "", err
	}
	if binary.BigEndian.Uint64(plain) != uint64(userID) {
		return "", ErrNotTheirs
	}
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(plain[8:])), maxKept))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return string(text), nil
}

// Typist stands in a form for the person it was made for.
func (s *Sessions) Typist(userID int64) string {
	return s.seal(binary.BigEndian.AppendUint64(nil, uint64(userID)), sealTypist)
}

// TypistOf reads what Typist made; 0 when it did not.
func (s *Sessions) TypistOf(sealed string) int64 {
	plain, err := s.unseal(sealed, sealTypist)
	if err != nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(plain))
}

func (s *Sessions) seal(plain []byte, what string) string {
	nonce := make([]byte, s.kept.NonceSize())
	rand.Read(nonce)
	return base64.RawURLEncoding.EncodeToString(s.kept.Seal(nonce, nonce, plain, []byte(what)))
}

// unseal returns at least the eight bytes of a user.
func (s *Sessions) unseal(sealed, what string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || len(b) < s.kept.NonceSize() {
		return nil, ErrUnreadable
	}
	plain, err := s.kept.Open(nil, b[:s.kept.NonceSize()], b[s.kept.NonceSize():], []byte(what))
	if err != nil || len(plain) < 8 {
		return nil, ErrUnreadable
	}
	return plain, nil
}

// newSealer makes the cipher of Seal; the key has its size.
func newSealer(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil { // the size of a derived key is right
		panic(err)
	}
	sealer, err := cipher.NewGCM(block)
	if err != nil { // AES has the block size that GCM needs
		panic(err)
	}
	return sealer
}
