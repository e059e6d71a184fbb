package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func sum(b []byte) []byte { h := sha256.Sum256(b); return h[:] }

// prepared, sending and applied are the three kinds of entries.
func prepared() Entry {
	body, base := []byte(`{"total_amount":800}`), []byte(`{"total":1000}`)
	return Entry{
		CorrectionID: 17, N: 1, State: "prepared", AtMS: 1795000000123, Actor: 3, Session: 9, Detail: []byte("{}"),
		Origin: &Origin{
			SubMchID: "1900000109", ServiceID: "500001", OutOrderNo: "PB_20261122_0077", BaseTotal: 1000, TargetTotal: 800,
			Author: 3, SessionRow: 9, PreparedMS: 1795000000123, ConfirmUntilMS: 1795000600123, RetryOf: 12, AsksTotal: true,
			ReasonCode: "overcharge", ReasonZH: "多收", ReasonEN: "Overcharged", ReasonNeedsNote: true,
			Outgoing: "计费有误 <b>", Ticket: "T-1", Note: "a \"note\"\u2028", ConfirmHash: sum([]byte("token")), ConfirmNonce: []byte("0123456789abcdef"),
			BaseSHA256: sum(base), BodySHA256: sum(body), Warnings: "[]", Body: body, BaseJSON: base,
		},
		Salt: sum([]byte("salt")),
	}
}

func sending() Entry {
	return Entry{
		CorrectionID: 17, N: 3, State: "sending", AtMS: 1795000003000, Actor: 3, Session: 9, Detail: []byte(`{"typed":"8.00"}`),
		Intent: &Intent{SignMS: 1795000003000, Nonce: "nonce", BootID: "boot", MonoMS: 42},
		Salt:   sum([]byte("salt")),
	}
}

func applied() Entry {
	return Entry{
		CorrectionID: 17, N: 4, State: "applied", AtMS: 1795000004000, RequestID: "REQ", Settled: "other", Due: -1,
		Detail: []byte(`{"status":200}`), Salt: sum([]byte("salt")),
	}
}

// entries are those of one correction.
func entries() []Entry {
	claimed := Entry{CorrectionID: 17, N: 2, State: "claimed", AtMS: 1795000002000, Actor: 3, Session: 9, Detail: []byte("{}"), Salt: sum([]byte("salt"))}
	return []Entry{prepared(), claimed, sending(), applied()}
}

// parseLeaf reads a leaf back: all that is in clear, and the salted hashes. That it
// can, is what makes the encoding injective.
func parseLeaf(b []byte) (e Entry, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	take := func(n uint64) []byte { p := b[:n:n]; b = b[n:]; return p }
	num := func() int64 { return int64(binary.BigEndian.Uint64(take(8))) }
	flag := func() bool {
		switch v := take(1)[0]; v {
		case 0, 1:
			return v == 1
		default:
			panic("a flag that is neither")
		}
	}
	bin := func() []byte {
		n, size := binary.Uvarint(b)
		if size <= 0 || !bytes.Equal(binary.AppendUvarint(nil, n), take(uint64(size))) {
			panic("a length that is not canonical")
		}
		return take(n)
	}
	str := func() string { return string(bin()) }
	mac := func() { e.Sealed = append(e.Sealed, take(32)...) }
	if string(take(uint64(len(leafTag)))) != leafTag {
		panic("another tag")
	}
	e.CorrectionID, e.N, e.State, e.AtMS, e.Actor, e.Session = num(), int(num()), str(), num(), num(), num()
	e.RequestID, e.Settled, e.Due = str(), str(), num()
	mac()
	if flag() {
		o := &Origin{}
		o.SubMchID, o.ServiceID, o.OutOrderNo, o.BaseTotal, o.TargetTotal = str(), str(), str(), num(), num()
		o.Author, o.SessionRow, o.PreparedMS, o.ConfirmUntilMS, o.RetryOf = num(), num(), num(), num(), num()
		o.AsksTotal, o.ReasonCode, o.ReasonZH, o.ReasonEN, o.ReasonNeedsNote = flag(), str(), str(), str(), flag()
		mac()
		mac()
		mac()
		o.ConfirmHash, o.ConfirmNonce = bin(), bin()
		mac()
		mac()
		mac()
		mac()
		mac()
		e.Origin = o
	}
	if flag() {
		e.Intent = &Intent{num(), str(), str(), num()}
	}
	if len(b) != 0 {
		panic("bytes are left")
	}
	return e, nil
}

// plain makes nothing and empty the same.
func plain(e Entry) Entry {
	none := func(b *[]byte) {
		if len(*b) == 0 {
			*b = nil
		}
	}
	none(&e.Detail)
	none(&e.Salt)
	none(&e.Sealed)
	if e.Origin != nil {
		o := *e.Origin
		for _, b := range []*[]byte{&o.ConfirmHash, &o.ConfirmNonce, &o.BaseSHA256, &o.BodySHA256, &o.Body, &o.BaseJSON} {
			none(b)
		}
		e.Origin = &o
	}
	return e
}

func TestLeaf_IsReadBackAsTheErasedEntry(t *testing.T) {
	t.Parallel()
	for _, e := range entries() {
		leaf := e.Leaf(nil)
		erased := e.Erase()
		if back, err := parseLeaf(leaf); err != nil || !reflect.DeepEqual(back, erased) {
			t.Errorf("%s: read back %+v, %v; want %+v", e.State, back, err, erased)
		}
		if err := errors.Join(e.Check(), erased.Check()); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(erased.Leaf(nil), leaf) {
			t.Errorf("%s: the leaf is another once the texts are erased", e.State)
		}
		if !reflect.DeepEqual(erased.Erase(), erased) {
			t.Errorf("%s: erased twice is another", e.State)
		}
		if got := e.Leaf([]byte("before")); string(got) != "before"+string(leaf) {
			t.Errorf("%s: not appended", e.State)
		}
	}
}

// The encoding is for ever: other programs check it, and signed roots rest on it.
func TestLeaf_NeverChanges(t *testing.T) {
	t.Parallel()
	for i, want := range []string{
		"874d9ac6e7277f26746d6908aba07faecdefd3184cdcbded39d4dd61300c016e",
		"c4db52f39ab8ae46ad15d33bf047a5ded8bfeb2653ddc69e40727a4db454f4ef",
		"b0eebc9ba7b29b7f206488f5285c78042cf8530425f885a02d47414c3dea291f",
		"12f505a17db7db4508561ccd2e14ca0726e40a0c36c0c0d43b7af9d0a368c122",
	} {
		if got := fmt.Sprintf("%x", sum(entries()[i].Leaf(nil))); got != want {
			t.Errorf("entry %d: %s, want %s", i, got, want)
		}
	}
}

// Every field of an entry counts: this walks them all, so a new one that is left out
// of the leaf shows.
func TestLeaf_EveryFieldCounts(t *testing.T) {
	t.Parallel()
	var names []string
	for _, make := range []func() Entry{prepared, sending, applied} {
		whole := make()
		before := string(whole.Leaf(nil))
		var walk func(name string, v func(e *Entry) reflect.Value)
		walk = func(name string, v func(e *Entry) reflect.Value) {
			e := make()
			switch f := v(&e); f.Kind() {
			case reflect.Pointer:
				if !f.IsNil() {
					walk(name, func(e *Entry) reflect.Value { return v(e).Elem() })
				}
				return
			case reflect.Struct:
				for i := range f.NumField() {
					walk(name+"."+f.Type().Field(i).Name, func(e *Entry) reflect.Value { return v(e).Field(i) })
				}
				return
			case reflect.Int, reflect.Int64:
				f.SetInt(f.Int() + 1)
			case reflect.Bool:
				f.SetBool(!f.Bool())
			case reflect.String:
				f.SetString(f.String() + "x")
			case reflect.Slice:
				if name == ".Sealed" {
					return
				}
				b := bytes.Clone(f.Bytes())
				b[len(b)-1] ^= 1
				f.SetBytes(b)
			default:
				t.Fatalf("%s is of kind %s", name, f.Kind())
			}
			names = append(names, name)
			if string(e.Leaf(nil)) == before {
				t.Errorf("%s of %s does not count", name, e.State)
			}
		}
		walk("", func(e *Entry) reflect.Value { return reflect.ValueOf(e).Elem() })
	}
	for _, want := range []string{".Salt", ".Detail", ".Origin.Body", ".Origin.Note", ".Intent.MonoMS"} {
		if !strings.Contains(strings.Join(names, " ")+" ", want+" ") {
			t.Errorf("%s was not tried", want)
		}
	}
}

func TestLeaf_HidesTexts(t *testing.T) {
	t.Parallel()
	e := prepared()
	leaf := string(e.Leaf(nil))
	for _, text := range []string{e.Origin.Outgoing, e.Origin.Ticket, e.Origin.Note, string(e.Origin.Body), string(e.Origin.BaseSHA256), string(e.Origin.BodySHA256), string(e.Salt)} {
		if strings.Contains(leaf, text) {
			t.Errorf("the leaf holds %q", text)
		}
	}
	// The same text in two places, or under another salt, does not show as the same.
	seen := map[string]string{}
	for name, change := range map[string]func(*Entry){
		"":     func(*Entry) {},
		"n":    func(e *Entry) { e.N = 5 },
		"salt": func(e *Entry) { e.Salt = sum([]byte("another")) },
	} {
		e := applied()
		e.Detail = []byte("same")
		change(&e)
		sealed := string(e.Erase().Sealed)
		if other, twice := seen[sealed]; twice {
			t.Errorf("%q and %q hash the same text the same way", name, other)
		}
		seen[sealed] = name
	}
	o := *e.Origin
	o.Outgoing, o.Ticket, o.Note, o.Warnings, o.Body, o.BaseJSON, o.BaseSHA256, o.BodySHA256 = "s", "s", "s", "s", []byte("s"), []byte("s"), []byte("s"), []byte("s")
	e.Origin, e.Detail = &o, []byte("s")
	sealed := e.Erase().Sealed
	for i := 0; i < len(sealed); i += 32 {
		if bytes.Contains(sealed[i+32:], sealed[i:i+32]) {
			t.Errorf("two texts of one entry hash the same way")
		}
	}
}

func TestCheck_RefusesWhatIsNotAnEntry(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]Entry{
		"no id":                  with(applied(), func(e *Entry) { e.CorrectionID = 0 }),
		"no number":              with(applied(), func(e *Entry) { e.N = 0 }),
		"first without origin":   with(prepared(), func(e *Entry) { e.Origin = nil }),
		"origin later":           with(prepared(), func(e *Entry) { e.N = 2 }),
		"sending without intent": with(sending(), func(e *Entry) { e.Intent = nil }),
		"intent elsewhere":       with(sending(), func(e *Entry) { e.State = "unknown" }),
		"no salt":                with(applied(), func(e *Entry) { e.Salt = nil }),
		"short salt":             with(applied(), func(e *Entry) { e.Salt = e.Salt[1:] }),
		"long salt":              with(applied(), func(e *Entry) { e.Salt = append(e.Salt, 0) }),
		"salt beside hashes":     with(applied().Erase(), func(e *Entry) { e.Salt = applied().Salt }),
		"detail beside hashes":   with(applied().Erase(), func(e *Entry) { e.Detail = []byte("{}") }),
		"note beside hashes":     with(prepared().Erase(), func(e *Entry) { e.Origin.Note = "a" }),
		"body beside hashes":     with(prepared().Erase(), func(e *Entry) { e.Origin.Body = []byte("a") }),
		"hash beside hashes":     with(prepared().Erase(), func(e *Entry) { e.Origin.BodySHA256 = []byte("a") }),
		"too few hashes":         with(prepared().Erase(), func(e *Entry) { e.Sealed = e.Sealed[32:] }),
		"too many hashes":        with(applied().Erase(), func(e *Entry) { e.Sealed = append(e.Sealed, e.Sealed...) }),
	} {
		if err := e.Check(); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v, want ErrForm", name, err)
		}
		if oneOf := strings.Contains(name, "salt") || strings.Contains(name, "too"); oneOf && !panics(func() { e.Leaf(nil) }) {
			t.Errorf("%s: it has a leaf", name)
		}
	}
}

func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}

func with(e Entry, change func(*Entry)) Entry {
	change(&e)
	return e
}

// genEntry draws entries that differ little, so that boundaries between fields are
// what tells them apart.
func genEntry(t *rapid.T, label string) Entry {
	str := rapid.StringMatching(`[ab]{0,2}`)
	bin := rapid.Custom(func(t *rapid.T) []byte { return []byte(str.Draw(t, "")) })
	num := rapid.Int64Range(0, 2)
	flag := rapid.Bool()
	return rapid.Custom(func(t *rapid.T) Entry {
		e := Entry{
			CorrectionID: num.Draw(t, ""), N: int(num.Draw(t, "")), State: str.Draw(t, ""), AtMS: num.Draw(t, ""), Actor: num.Draw(t, ""), Session: num.Draw(t, ""),
			RequestID: str.Draw(t, ""), Settled: str.Draw(t, ""), Due: num.Draw(t, ""), Detail: bin.Draw(t, ""),
			Salt: bytes.Repeat([]byte{byte(num.Draw(t, ""))}, SaltSize),
		}
		if flag.Draw(t, "") {
			e.Origin = &Origin{
				str.Draw(t, ""), str.Draw(t, ""), str.Draw(t, ""), num.Draw(t, ""), num.Draw(t, ""), num.Draw(t, ""), num.Draw(t, ""), num.Draw(t, ""), num.Draw(t, ""), num.Draw(t, ""),
				flag.Draw(t, ""), str.Draw(t, ""), str.Draw(t, ""), str.Draw(t, ""), flag.Draw(t, ""), str.Draw(t, ""), str.Draw(t, ""), str.Draw(t, ""),
				bin.Draw(t, ""), bin.Draw(t, ""), bin.Draw(t, ""), bin.Draw(t, ""), str.Draw(t, ""), bin.Draw(t, ""), bin.Draw(t, ""),
			}
		}
		if flag.Draw(t, "") {
			e.Intent = &Intent{num.Draw(t, ""), str.Draw(t, ""), str.Draw(t, ""), num.Draw(t, "")}
		}
		return e
	}).Draw(t, label)
}

func TestLeaf_IsInjective(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { checkInjective(t, genEntry(t, "a"), genEntry(t, "b")) })
}

func checkInjective(t interface {
	Fatalf(format string, args ...any)
	Helper()
}, a, b Entry) {
	t.Helper()
	same := reflect.DeepEqual(plain(a), plain(b))
	if got := bytes.Equal(a.Leaf(nil), b.Leaf(nil)); got != same {
		t.Fatalf("the leaves are equal: %v, the entries: %v\n%+v\n%+v", got, same, a, b)
	}
	for _, e := range []Entry{a, b} {
		if back, err := parseLeaf(e.Leaf(nil)); err != nil || !reflect.DeepEqual(plain(back), plain(e.Erase())) {
			t.Fatalf("read back %+v, %v; want %+v", back, err, e.Erase())
		}
	}
}

// FuzzLeafInjective makes two entries of bytes and compares their leaves.
func FuzzLeafInjective(f *testing.F) {
	whole := []byte("\x11\x01\x08prepared\x05\x03\x09\x01r\x01s\x01\x02{}\x07\x01" + strings.Repeat("\x02ab", 40) + "\x01\x05\x01n\x01b\x06")
	f.Add([]byte{}, []byte{})
	f.Add(whole, whole)
	f.Add(whole, whole[:20])
	f.Add([]byte("\x01\x01\x01a\x00\x00\x00\x01b"), []byte("\x01\x01\x02ab\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, a, b []byte) { checkInjective(t, entryOf(a), entryOf(b)) })
}

// entryOf reads an entry out of any bytes.
func entryOf(b []byte) Entry {
	take := func(n int) []byte {
		n = min(n, len(b))
		p := b[:n:n]
		b = b[n:]
		return p
	}
	num := func() int64 {
		var v int64
		for _, c := range take(1) {
			v = int64(int8(c))
		}
		return v << 8 * 7 / 3 // of both signs and all bytes
	}
	bin := func() []byte {
		n := 0
		for _, c := range take(1) {
			n = int(c)
		}
		return take(n)
	}
	str := func() string { return string(bin()) }
	flag := func() bool { return num()&1 == 1 }
	e := Entry{CorrectionID: num(), N: int(num()), State: str(), AtMS: num(), Actor: num(), Session: num(), RequestID: str(), Settled: str(), Due: num(), Detail: bin(), Salt: sum(take(1))}
	if flag() {
		e.Origin = &Origin{str(), str(), str(), num(), num(), num(), num(), num(), num(), num(), flag(), str(), str(), str(), flag(), str(), str(), str(), bin(), bin(), bin(), bin(), str(), bin(), bin()}
	}
	if flag() {
		e.Intent = &Intent{num(), str(), str(), num()}
	}
	return e
}

func BenchmarkLeaf(b *testing.B) {
	event := applied()
	event.Detail = bytes.Repeat([]byte("x"), 1<<10)
	first := prepared()
	first.Origin.Body, first.Origin.BaseJSON = event.Detail, event.Detail
	for name, e := range map[string]Entry{"event": event, "first": first} {
		b.Run(name, func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf = e.Leaf(buf[:0])
			}
		})
	}
}
