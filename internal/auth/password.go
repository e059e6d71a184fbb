package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/secure/precis"
)

// Params are the cost parameters of Argon2id.
type Params struct {
	MemoryKiB uint32
	Passes    uint32
	Lanes     uint8
	SaltLen   int // bytes
	TagLen    int // bytes
}

// CurrentParams is what new passwords are hashed with: the second choice of RFC
// 9106 §4.
var CurrentParams = Params{MemoryKiB: 64 << 10, Passes: 3, Lanes: 4, SaltLen: 16, TagLen: 32}

// Bounds of a stored hash. Below them it is not worth its name, above them one
// sign-in would take the machine.
const (
	maxMemoryKiB = 1 << 20
	maxPasses    = 32
	maxLanes     = 64
	minSaltLen   = 8
	maxSaltLen   = 64
	minTagLen    = 16
	maxTagLen    = 64
	maxPHCLen    = 512
)

// dummyPHC is verified for users who do not exist, so that they take as long as
// those who do. A constant: hashing one at start would cost 60 ms. Its tag is
// random, so no password is known that matches it.
const dummyPHC = "$argon2id$v=19$m=65536,t=3,p=4$OLuglASdg+kDQcZi2eZzrQ$NQM+C0UH53uIkaFTAWKGYUstvhydclyWVOPkumKKyTU"

// Errors of hashing.
var (
	ErrBusy    = errors.New("too many passwords are being checked")
	ErrBadHash = errors.New("the stored password hash cannot be read")
)

// parsedPHC is a PHC string taken apart.
type parsedPHC struct {
	params    Params
	salt, tag []byte
}

// parsePHC reads "$argon2id$v=19$m=…,t=…,p=…$salt$tag" with parameters within the
// bounds. Errors wrap ErrBadHash and never quote the string.
func parsePHC(phc string) (parsedPHC, error) {
	bad := func(what string) (parsedPHC, error) {
		return parsedPHC{}, fmt.Errorf("parse PHC string: %s: %w", what, ErrBadHash)
	}
	if len(phc) > maxPHCLen {
		return bad("length")
	}
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return bad("not argon2id")
	}
	if parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return bad("version")
	}
	costs := strings.Split(parts[3], ",")
	if len(costs) != 3 {
		return bad("parameters")
	}
	var n [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(costs[i], name)
		if !ok || digits == "" || digits[0] == '0' || digits[0] == '+' {
			return bad("parameters")
		}
		v, err := strconv.ParseUint(digits, 10, 32)
		if err != nil {
			return bad("parameters")
		}
		n[i] = v
	}
	if n[2] > maxLanes || n[1] > maxPasses || n[0] > maxMemoryKiB || n[0] < 8*n[2] {
		return bad("parameters out of bounds")
	}
	b64 := base64.RawStdEncoding.Strict()
	salt, err := b64.DecodeString(parts[4])
	if err != nil || len(salt) < minSaltLen || len(salt) > maxSaltLen {
		return bad("salt")
	}
	tag, err := b64.DecodeString(parts[5])
	if err != nil || len(tag) < minTagLen || len(tag) > maxTagLen {
		return bad("tag")
	}
	return parsedPHC{
		params: Params{MemoryKiB: uint32(n[0]), Passes: uint32(n[1]), Lanes: uint8(n[2]), SaltLen: len(salt), TagLen: len(tag)},
		salt:   salt, tag: tag,
	}, nil
}

func (p parsedPHC) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.params.MemoryKiB, p.params.Passes, p.params.Lanes, b64.EncodeToString(p.salt), b64.EncodeToString(p.tag))
}

// NeedsRehash reports whether a stored hash is weaker than CurrentParams in any
// parameter, or cannot be read.
func NeedsRehash(phc string) bool {
	h, err := parsePHC(phc)
	if err != nil {
		return true
	}
	p, now := h.params, CurrentParams
	return p.MemoryKiB < now.MemoryKiB || p.Passes < now.Passes || p.Lanes < now.Lanes ||
		p.SaltLen < now.SaltLen || p.TagLen < now.TagLen
}

// maxPasswordBytes bounds what is normalised at all: 128 code points may have
// been typed as several bytes and combining marks each.
const maxPasswordBytes = 4096

// prepare brings a typed password into the one form that is hashed: RFC 8265
// OpaqueString, so that the same password typed on another system is the same.
func prepare(password string) (string, error) {
	if len(password) > maxPasswordBytes {
		return "", ErrPasswordLong
	}
	s, err := precis.OpaqueString.String(password)
	if err != nil || !utf8.ValidString(password) {
		return "", ErrPasswordText
	}
	return s, nil
}

// releaseAfter is how long no hash must run before memory is handed back, so that the
// sign-ins at the start of a shift share one collection.
const releaseAfter = 500 * time.Millisecond

// Hasher computes Argon2id for the whole program, few at a time; others wait in a queue
// and are refused with a *BusyError when they would wait too long. Some time after the
// last one it returns the memory to the system. Safe for concurrent use; make it with
// NewHasher.
type Hasher struct {
	params  Params
	queue   *queue
	release func()

	mu     sync.Mutex
	active int
	timer  *time.Timer
}

// NewHasher returns a Hasher that hashes with CurrentParams.
func NewHasher() *Hasher {
	return &Hasher{params: CurrentParams, queue: newQueue(hashesAtOnce), release: debug.FreeOSMemory}
}

// Hash returns the PHC string of a password with a new salt. It does not judge the
// password (CheckPassword does); text that no password may hold is refused with
// ErrPasswordText. ErrBusy when the queue is too long.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if err := h.queue.enter(ctx, ofKnown); err != nil {
		return "", err
	}
	defer h.queue.leave()
	return h.hash(password)
}

// Verify reports whether the password belongs to the PHC string. ErrBadHash when
// the string cannot be read, ErrBusy when the queue is too long.
func (h *Hasher) Verify(ctx context.Context, phc, password string) (bool, error) {
	if err := h.queue.enter(ctx, ofKnown); err != nil {
		return false, err
	}
	defer h.queue.leave()
	return h.verify(phc, password)
}

func ofKnown() int { return rankKnown }

// hash is Hash for the holder of a place.
func (h *Hasher) hash(password string) (string, error) {
	text, err := prepare(password)
	if err != nil {
		return "", err
	}
	out := parsedPHC{params: h.params, salt: make([]byte, h.params.SaltLen)}
	rand.Read(out.salt)
	out.tag = h.derive(text, out)
	return out.String(), nil
}

// verify is Verify for the holder of a place. Text that no password may hold takes
// as long as a wrong password.
func (h *Hasher) verify(phc, password string) (bool, error) {
	want, err := parsePHC(phc)
	if err != nil {
		return false, err
	}
	text, bad := prepare(password)
	tag := h.derive(text, want)
	return subtle.ConstantTimeCompare(tag, want.tag) == 1 && bad == nil, nil
}

func (h *Hasher) derive(text string, p parsedPHC) []byte {
	h.begin()
	defer h.end()
	start := time.Now()
	defer func() { h.queue.hashed(time.Since(start)) }()
	return argon2.IDKey([]byte(text), p.salt, p.params.Passes, p.params.MemoryKiB, p.params.Lanes, uint32(p.params.TagLen))
}

func (h *Hasher) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active++
}

func (h *Hasher) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.active--; h.active > 0 {
		return
	}
	if h.timer == nil {
		h.timer = time.AfterFunc(releaseAfter, h.releaseIfIdle)
		return
	}
	h.timer.Reset(releaseAfter)
}

func (h *Hasher) releaseIfIdle() {
	h.mu.Lock()
	idle := h.active == 0
	h.mu.Unlock()
	if idle {
		h.release()
	}
}

// sameText reports whether two typed passwords are one.
func sameText(a, b string) bool {
	x, errX := prepare(a)
	y, errY := prepare(b)
	return errX == nil && errY == nil && subtle.ConstantTimeCompare([]byte(x), []byte(y)) == 1
}
