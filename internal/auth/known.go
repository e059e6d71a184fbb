package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"slices"
	"time"
)

// KnownFor is how long a browser stays known for a person after their last sign-in.
const KnownFor = 180 * 24 * time.Hour

// maxKnownPeople is for how many people a browser is known: a desk that a shift shares.
// The one whose sign-in is the longest ago makes room.
const maxKnownPeople = 8

// knownBrowser is the content of the cookie that a browser carries once somebody has
// signed in: a random id, and for each person a mark and the time, all under a MAC. A
// mark is a keyed hash of the id and the person, so the cookie does not tell who uses
// the browser. It opens nothing; its bearer only has failure counters of its own.
type knownBrowser struct {
	id     [16]byte
	people []knownPerson
}

type knownPerson struct {
	mark   [16]byte
	issued time.Time // ms
}

const (
	knownIDSize     = 16
	knownPersonSize = 16 + 8
)

func newKnownBrowser() knownBrowser {
	var k knownBrowser
	rand.Read(k.id[:])
	return k
}

// mark stands for a person in this browser.
func (k knownBrowser) mark(key []byte, username string) (mark [16]byte) {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("person\x00"))
	m.Write(k.id[:])
	m.Write([]byte(username))
	copy(mark[:], m.Sum(nil))
	return mark
}

// counter names the failure counter of the person in this browser without telling the
// mark; false when the browser is not known for them.
func (k knownBrowser) counter(key []byte, username string) (string, bool) {
	mark, found := k.mark(key, username), 0
	for _, p := range k.people {
		found |= subtle.ConstantTimeCompare(p.mark[:], mark[:])
	}
	sum := sha256.Sum256(mark[:])
	return "known:" + hex.EncodeToString(sum[:16]), found == 1
}

// with is the browser after the person has signed in.
func (k knownBrowser) with(key []byte, username string, now time.Time) knownBrowser {
	mark := k.mark(key, username)
	people := slices.DeleteFunc(slices.Clone(k.people), func(p knownPerson) bool { return p.mark == mark })
	people = append(people, knownPerson{mark: mark, issued: now})
	slices.SortStableFunc(people, func(a, b knownPerson) int { return a.issued.Compare(b.issued) })
	k.people = people[max(0, len(people)-maxKnownPeople):]
	return k
}

func (k knownBrowser) encode(key []byte) string {
	b := slices.Clone(k.id[:])
	for _, p := range k.people {
		b = append(b, p.mark[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(p.issued.UnixMilli()))
	}
	return base64.RawURLEncoding.EncodeToString(append(b, knownMAC(key, b)...))
}

// parseKnown reads the cookie, without people whose time is over. What is not ours is a
// new browser.
func parseKnown(key []byte, value string, now time.Time) knownBrowser {
	b, err := base64.RawURLEncoding.Strict().DecodeString(value)
	n := len(b) - knownIDSize - sha256.Size
	if err != nil || n < 0 || n%knownPersonSize != 0 || n/knownPersonSize > maxKnownPeople {
		return newKnownBrowser()
	}
	head, mac := b[:knownIDSize+n], b[knownIDSize+n:]
	if !hmac.Equal(mac, knownMAC(key, head)) {
		return newKnownBrowser()
	}
	var k knownBrowser
	copy(k.id[:], head)
	for p := range slices.Chunk(head[knownIDSize:], knownPersonSize) {
		person := knownPerson{issued: time.UnixMilli(int64(binary.BigEndian.Uint64(p[16:]))).UTC()}
		copy(person.mark[:], p)
		if now.Sub(person.issued) < KnownFor {
			k.people = append(k.people, person)
		}
	}
	return k
}

func knownMAC(key, head []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("known 2\x00"))
	m.Write(head)
	return m.Sum(nil)
}

// KnownBrowser names the browser of a cookie in which somebody has signed in before,
// whoever it was; empty when nobody has.
func (a *Authenticator) KnownBrowser(cookie string) string {
	if cookie == "" {
		return ""
	}
	k := parseKnown(a.knownKey, cookie, a.now())
	if len(k.people) == 0 {
		return ""
	}
	return hex.EncodeToString(k.id[:])
}

// knownCookieName is "known" of this installation, with the prefix of the session cookie.
func (s *Sessions) knownCookieName() string { return cookieName(s.Cookie("known"), s.secure) }

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
