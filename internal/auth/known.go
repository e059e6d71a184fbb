package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"time"
)

// KnownFor is how long a browser stays known after its last sign-in.
const KnownFor = 180 * 24 * time.Hour

// knownBrowser is the content of the cookie that a browser carries once it has
// signed in: a random id and the time, under a MAC that binds them to one user
// name. It opens nothing; its bearer only has a failure counter of its own.
type knownBrowser struct {
	id     [16]byte
	issued time.Time // ms
}

const knownSize = 16 + 8 + sha256.Size

func newKnownBrowser(now time.Time) knownBrowser {
	k := knownBrowser{issued: now}
	rand.Read(k.id[:])
	return k
}

// key names the browser's counter without telling its id.
func (k knownBrowser) key() string {
	sum := sha256.Sum256(k.id[:])
	return "known:" + hex.EncodeToString(sum[:16])
}

func (k knownBrowser) encode(key []byte, username string) string {
	b := make([]byte, 0, knownSize)
	b = append(b, k.id[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(k.issued.UnixMilli()))
	b = append(b, knownMAC(key, username, b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseKnown reads the cookie; false when it is not for this user name, too old or
// not ours.
func parseKnown(key []byte, username, value string, now time.Time) (knownBrowser, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil || len(b) != knownSize {
		return knownBrowser{}, false
	}
	if !hmac.Equal(b[24:], knownMAC(key, username, b[:24])) {
		return knownBrowser{}, false
	}
	k := knownBrowser{issued: time.UnixMilli(int64(binary.BigEndian.Uint64(b[16:24]))).UTC()}
	copy(k.id[:], b)
	return k, now.Sub(k.issued) < KnownFor
}

func knownMAC(key []byte, username string, head []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("known\x00"))
	m.Write(head) // of fixed length, so the name needs no end
	m.Write([]byte(username))
	return m.Sum(nil)
}

// knownCookieName is "known" with the prefix of the session cookie.
func (s *Sessions) knownCookieName() string { return cookieName("known", s.secure) }

// KnownCookie is the value to hand to SignIn; empty when the browser has none.
func (s *Sessions) KnownCookie(r *http.Request) string {
	c, err := r.Cookie(s.knownCookieName())
	if err != nil {
		return ""
	}
	return c.Value
}

// SetKnown makes the browser keep the Known value of a sign-in.
func (s *Sessions) SetKnown(w http.ResponseWriter, value string) {
	http.SetCookie(w, s.cookie(s.knownCookieName(), value, int(KnownFor/time.Second)))
}
