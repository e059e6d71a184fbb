package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// sampleSigner is always the same, so that the proofs of the corpus stay valid.
func sampleSigner(t testing.TB) *Signer {
	t.Helper()
	const name = product + "/00c0ffee"
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	vkey, err := note.NewEd25519VerifierKey(name, ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseKey("PRIVATE+KEY+" + name + "+" + strings.Split(vkey, "+")[1] + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, seed...)))
	if err != nil {
		t.Fatal(err)
	}
	if s.VerifierKey() != vkey {
		t.Fatalf("the key %q is not %q", s.VerifierKey(), vkey)
	}
	return s
}

// of returns the entries of one correction with their indexes.
func (r record) of(id int64) (entries []Entry, indexes []int64) {
	for i, e := range r.entries {
		if e.CorrectionID == id {
			entries, indexes = append(entries, e), append(indexes, int64(i))
		}
	}
	return entries, indexes
}

// sampleProof is that of the second of three corrections.
func sampleProof(t testing.TB) (data []byte, vkey string) {
	t.Helper()
	r := newRecord(t, 3)
	return proofOf(t, r, 2, r.points[len(r.points)-1])
}

func proofOf(t testing.TB, r record, id int64, c Checkpoint) (data []byte, vkey string) {
	t.Helper()
	s := sampleSigner(t)
	e, is := r.of(id)
	data, err := BuildProof(e, is, signed(t, s, c), r.rows.reader())
	if err != nil {
		t.Fatal(err)
	}
	return data, s.VerifierKey()
}

func TestProof_IsCheckedByItself(t *testing.T) {
	t.Parallel()
	r := newRecord(t, 3)
	for id := int64(1); id <= 3; id++ {
		e, is := r.of(id)
		for size := int(is[3]) + 1; size < len(r.points); size++ {
			data, vkey := proofOf(t, r, id, r.points[size])
			got, err := CheckProof(data, vkey)
			want := ProofReport{
				Key: product + "/00c0ffee", Checkpoint: r.points[size], CorrectionID: id, SubMchID: "1900000109", ServiceID: "500001",
				OutOrderNo: "PB_20261122_0077", BaseTotal: 1000, TargetTotal: 800,
			}
			for i := range e {
				want.Events = append(want.Events, ProofEvent{i + 1, e[i].State, e[i].AtMS, is[i]})
			}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("correction %d in %d: %+v, %v; want %+v", id, size, got, err, want)
			}
		}
	}
}

func TestProof_HoldsAfterTextsAreErased(t *testing.T) {
	t.Parallel()
	r := newRecord(t, 3)
	for i := range r.entries {
		r.entries[i] = r.entries[i].Erase()
	}
	data, vkey := proofOf(t, r, 2, r.points[12])
	got, err := CheckProof(data, vkey)
	if err != nil || !got.Erased || len(got.Events) != 4 {
		t.Errorf("%+v, %v", got, err)
	}
	if bytes.Contains(data, []byte("T-1")) || bytes.Contains(data, []byte("total_amount")) {
		t.Errorf("an erased text is in the proof:\n%s", data)
	}
}

func TestProof_CanBeReadByPeople(t *testing.T) {
	t.Parallel()
	data, _ := sampleProof(t)
	for _, want := range []string{
		`"out_order_no": "PB_20261122_0077"`, `"outgoing": "计费有误 <b>"`, `"note": "a \"note\"\u2028"`, `"body": "{\"total_amount\":800}"`,
		`"detail": "{\"typed\":\"8.00\"}"`, `"base_total": 1000`, `"checkpoint": "correction-console/00c0ffee\n12\n`,
	} {
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("the proof does not hold %s:\n%s", want, data)
		}
	}
}

// Spaces and escapes are another program's business.
func TestCheckProof_TakesOtherSpellings(t *testing.T) {
	t.Parallel()
	data, vkey := sampleProof(t)
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"compact":  compact.Bytes(),
		"carriage": bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")),
		"escapes":  bytes.ReplaceAll(data, []byte("计"), []byte(`\u8ba1`)),
		"html":     bytes.ReplaceAll(data, []byte("<b>"), []byte(`\u003cb\u003e`)),
	} {
		if bytes.Equal(text, data) {
			t.Errorf("%s changes nothing", name)
		}
		if _, err := CheckProof(text, vkey); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every value in the file is altered in turn: all of them are under the signature.
func TestCheckProof_RefusesAnyAlteredValue(t *testing.T) {
	t.Parallel()
	for _, erased := range []bool{false, true} {
		r := newRecord(t, 3)
		if erased {
			for i := range r.entries {
				r.entries[i] = r.entries[i].Erase()
			}
		}
		data, vkey := proofOf(t, r, 2, r.points[12])
		tried := 0
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		before := int64(0)
		for {
			token, err := d.Token()
			if err != nil {
				break
			}
			start, end := before, d.InputOffset()
			before = end
			start += int64(bytes.IndexFunc(data[start:end], func(r rune) bool { return !strings.ContainsRune(" \n:,", r) }))
			var others []string
			switch v := token.(type) {
			case string:
				others = []string{v + "x", "", v + " ", "null"}
				if b, err := base64.StdEncoding.DecodeString(v); err == nil && len(b) > 0 {
					b[0] ^= 1
					others = append(others, base64.StdEncoding.EncodeToString(b))
				}
			case json.Number:
				others = []string{v.String() + "0", "-1", v.String() + ".0", v.String() + "e0", "null"}
				if v == "0" {
					others[0] = "1"
				}
			case bool:
				others = []string{fmt.Sprint(!v), "null", "0"}
			}
			for _, o := range others {
				if s, isText := token.(string); isText && o != "null" {
					if o == s {
						continue
					}
					text, _ := json.Marshal(o)
					o = string(text)
				}
				if o == string(data[start:end]) {
					continue
				}
				altered := slices.Concat(data[:start], []byte(o), data[end:])
				tried++
				if _, err := CheckProof(altered, vkey); err == nil {
					t.Errorf("%s instead of %s is taken", o, data[start:end])
				}
			}
		}
		if tried < 300 {
			t.Errorf("only %d values were tried", tried)
		}
	}
}

func TestCheckProof_RefusesForgeries(t *testing.T) {
	t.Parallel()
	r := newRecord(t, 3)
	data, vkey := sampleProof(t)
	s := sampleSigner(t)
	_, is := r.of(2)
	edit := func(change func(p *proof, f []proofEntry) []proofEntry) []byte {
		p, err := parseProof(data)
		if err != nil {
			t.Fatal(err)
		}
		f := make([]proofEntry, len(p.Entries))
		for i := range f {
			if err := unmarshal(p.Entries[i], &f[i]); err != nil {
				t.Fatal(err)
			}
		}
		f = change(&p, f)
		p.Entries = nil
		for i := range f {
			text, err := marshal(f[i])
			if err != nil {
				t.Fatal(err)
			}
			p.Entries = append(p.Entries, text)
		}
		text, err := marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	text := func(old, new string) []byte { return bytes.Replace(data, []byte(old), []byte(new), 1) }
	other, _ := proofOf(t, r, 1, r.points[12])
	otherFirst := func() (f proofEntry) {
		p, err := parseProof(other)
		if err != nil {
			t.Fatal(err)
		}
		if err := unmarshal(p.Entries[0], &f); err != nil {
			t.Fatal(err)
		}
		return f
	}()
	_, foreign := signText(t, s.Name(), "x\n")
	if got, err := CheckProof(edit(func(_ *proof, f []proofEntry) []proofEntry { return f }), vkey); err != nil || len(got.Events) != 4 {
		t.Fatalf("not edited: %+v, %v", got, err)
	}
	for name, o := range map[string]struct {
		data []byte
		key  string
		want error
	}{
		"another key": {data, foreign, ErrUnsigned},
		"no key":      {data, "", ErrUnsigned},
		"other checkpoint": {edit(func(p *proof, f []proofEntry) []proofEntry {
			p.Checkpoint = string(signed(t, s, r.points[11]))
			return f
		}), vkey, ErrMismatch},
		"not a checkpoint": {edit(func(p *proof, f []proofEntry) []proofEntry { p.Checkpoint = "x"; return f }), vkey, ErrMalformed},
		"shorter checkpoint": {edit(func(p *proof, f []proofEntry) []proofEntry {
			p.Checkpoint = string(signed(t, s, r.points[is[3]]))
			return f
		}), vkey, ErrMismatch},
		"first missing":      {edit(func(_ *proof, f []proofEntry) []proofEntry { return f[1:] }), vkey, ErrMismatch},
		"one missing":        {edit(func(_ *proof, f []proofEntry) []proofEntry { return slices.Delete(f, 1, 2) }), vkey, ErrMismatch},
		"twice":              {edit(func(_ *proof, f []proofEntry) []proofEntry { return append(f, f[3]) }), vkey, ErrMismatch},
		"swapped":            {edit(func(_ *proof, f []proofEntry) []proofEntry { f[1], f[3] = f[3], f[1]; return f }), vkey, ErrMismatch},
		"none":               {edit(func(_ *proof, f []proofEntry) []proofEntry { return nil }), vkey, ErrMalformed},
		"of another":         {edit(func(_ *proof, f []proofEntry) []proofEntry { f[0] = otherFirst; return f }), vkey, ErrMismatch},
		"at another place":   {edit(func(_ *proof, f []proofEntry) []proofEntry { f[0].Index++; return f }), vkey, ErrMismatch},
		"far index":          {edit(func(_ *proof, f []proofEntry) []proofEntry { f[3].Index = 1 << 62; return f }), vkey, ErrMismatch},
		"longer path":        {edit(func(_ *proof, f []proofEntry) []proofEntry { f[0].Path = append(f[0].Path, f[0].Path[0]); return f }), vkey, ErrMismatch},
		"no path":            {edit(func(_ *proof, f []proofEntry) []proofEntry { f[0].Path = nil; return f }), vkey, ErrMismatch},
		"no origin":          {edit(func(_ *proof, f []proofEntry) []proofEntry { f[0].Origin = nil; return f }), vkey, ErrMalformed},
		"an intent":          {edit(func(_ *proof, f []proofEntry) []proofEntry { f[3].Intent = f[2].Intent; return f }), vkey, ErrMalformed},
		"erased in part":     {edit(func(_ *proof, f []proofEntry) []proofEntry { f[3].Sealed = applied().Erase().Sealed; return f }), vkey, ErrMalformed},
		"other order named":  {edit(func(p *proof, f []proofEntry) []proofEntry { p.OutOrderNo = "X"; return f }), vkey, ErrMismatch},
		"other id named":     {edit(func(p *proof, f []proofEntry) []proofEntry { p.CorrectionID = 1; return f }), vkey, ErrMismatch},
		"other format":       {edit(func(p *proof, f []proofEntry) []proofEntry { p.Format += "1"; return f }), vkey, ErrMalformed},
		"other product":      {edit(func(p *proof, f []proofEntry) []proofEntry { p.Product += "1"; return f }), vkey, ErrMalformed},
		"unknown field":      {text("{\n", "{\n\"more\": 1,\n"), vkey, ErrMalformed},
		"unknown deep":       {text(`"sub_mchid"`, `"more": 1, "sub_mchid"`), vkey, ErrMalformed},
		"twice, last counts": {text(`"target_total": 800`, `"target_total": 1, "target_total": 800`), vkey, ErrMalformed},
		"by another case":    {text(`"target_total": 800`, `"Target_total": 800`), vkey, ErrMalformed},
		"missing field":      {text(`"due": 0,`, ""), vkey, ErrMalformed},
		"trailing":           {append(bytes.Clone(data), "{}"...), vkey, ErrMalformed},
		"trailing nothing":   {append(bytes.Clone(data), 0), vkey, ErrMalformed},
		"cut":                {data[:len(data)-3], vkey, ErrMalformed},
		"empty":              {nil, vkey, ErrMalformed},
		"null":               {[]byte("null"), vkey, ErrMalformed},
		"list":               {[]byte("[]"), vkey, ErrMalformed},
		"byte order mark":    {append([]byte("\ufeff"), data...), vkey, ErrMalformed},
		"not UTF-8":          {text("T-1", "T-\xff"), vkey, ErrMalformed},
		"too large":          {append(bytes.Clone(data), bytes.Repeat([]byte(" "), maxProof)...), vkey, ErrMalformed},
	} {
		if bytes.Equal(o.data, data) && o.key == vkey {
			t.Errorf("%s: nothing is forged", name)
		}
		keys := []string{o.key}
		if o.key == "" {
			keys = nil
		}
		if got, err := CheckProof(o.data, keys...); !errors.Is(err, o.want) || !reflect.DeepEqual(got, ProofReport{}) {
			t.Errorf("%s: %+v, %v; want %v", name, got, err, o.want)
		}
	}
	many := edit(func(_ *proof, f []proofEntry) []proofEntry { return slices.Repeat(f[:1], maxEntries+1) })
	if _, err := CheckProof(many, vkey); !errors.Is(err, ErrMalformed) {
		t.Errorf("too many: %v, want ErrMalformed", err)
	}
	// The first events without the last ones are a proof, too.
	if got, err := CheckProof(edit(func(_ *proof, f []proofEntry) []proofEntry { return f[:2] }), vkey); err != nil || len(got.Events) != 2 {
		t.Errorf("the first two events: %+v, %v", got, err)
	}
}

func TestBuildProof_HandsOutNoneThatDoesNotHold(t *testing.T) {
	t.Parallel()
	whole := newRecord(t, 3)
	s := sampleSigner(t)
	point := signed(t, s, whole.points[12])
	e, is := whole.of(2)
	// Logs in which bytes have not the hash that was recorded with them.
	type log struct {
		record
		entries []Entry
		point   []byte
	}
	wrongBytes := func(change func(o *Origin)) log {
		r := whole.clone()
		o := *r.entries[is[0]].Origin
		change(&o)
		r.entries[is[0]].Origin = &o
		r.rewrite()
		tree, err := LoadTree(12, r.rows.row)
		if err != nil {
			t.Fatal(err)
		}
		e, _ := r.of(2)
		return log{r, e, signed(t, s, Checkpoint{12, tree.Root(), 0})}
	}
	body := wrongBytes(func(o *Origin) { o.Body = []byte("{}") })
	base := wrongBytes(func(o *Origin) { o.BaseJSON = []byte("{}") })
	// A log in which the second event stands before the first.
	wrongOrder := whole.clone()
	wrongOrder.entries[is[0]], wrongOrder.entries[is[1]] = e[1], e[0]
	wrongOrder.rewrite()
	orderTree, err := LoadTree(12, wrongOrder.rows.row)
	if err != nil {
		t.Fatal(err)
	}
	notText := slices.Clone(e)
	notText[3].Detail = []byte("{\xff}")
	noSalt := slices.Clone(e)
	noSalt[3].Salt = nil
	altered := slices.Clone(e)
	altered[1].AtMS++
	for name, o := range map[string]struct {
		entries []Entry
		indexes []int64
		point   []byte
		rows    rows
		want    error
	}{
		"nothing":         {nil, nil, point, whole.rows, ErrMalformed},
		"no indexes":      {e, is[1:], point, whole.rows, ErrMalformed},
		"not from first":  {e[1:], is[1:], point, whole.rows, ErrMalformed},
		"unsigned":        {e, is, []byte(whole.points[12].text(s.Name())), whole.rows, ErrMalformed},
		"too early":       {e, is, signed(t, s, whole.points[is[3]]), whole.rows, ErrMismatch},
		"negative":        {e, []int64{-1, 1, 2, 3}, point, whole.rows, ErrMismatch},
		"elsewhere":       {e, []int64{0, 3, 6, 9}, point, whole.rows, ErrMismatch},
		"altered":         {altered, is, point, whole.rows, ErrMismatch},
		"other root":      {e, is, signed(t, s, Checkpoint{12, [32]byte{1}, 0}), whole.rows, ErrMismatch},
		"rows missing":    {e, is, point, whole.rows[:5], ErrRow},
		"not text":        {notText, is, point, whole.rows, ErrMismatch},
		"no salt":         {noSalt, is, point, whole.rows, ErrMalformed},
		"out of order":    {e, []int64{is[1], is[0], is[2], is[3]}, signed(t, s, Checkpoint{12, orderTree.Root(), 0}), wrongOrder.rows, ErrMismatch},
		"body of another": {body.entries, is, body.point, body.rows, ErrMismatch},
		"base of another": {base.entries, is, base.point, base.rows, ErrMismatch},
	} {
		if data, err := BuildProof(o.entries, o.indexes, o.point, o.rows.reader()); data != nil || !errors.Is(err, o.want) {
			t.Errorf("%s: %d bytes, %v; want %v", name, len(data), err, o.want)
		}
	}
}

// The file format is for ever: a proof that was handed out stays one.
func TestCheckProof_ReadsOldProofs(t *testing.T) {
	t.Parallel()
	data, vkey := sampleProof(t)
	old, err := os.ReadFile(filepath.Join("testdata", "proof-1.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := CheckProof(old, vkey)
	if err != nil || len(got.Events) != 4 || got.CorrectionID != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if !bytes.Equal(old, data) {
		t.Error("proofs are written in another way than they were")
	}
}

// FuzzCheckProof alters a piece of a proof, or all of it: nothing but the events that
// were proven is ever taken, and nothing makes it stumble.
func FuzzCheckProof(f *testing.F) {
	data, vkey := sampleProof(f)
	want, err := CheckProof(data, vkey)
	if err != nil {
		f.Fatal(err)
	}
	erased := newRecord(f, 3)
	for i := range erased.entries {
		erased.entries[i] = erased.entries[i].Erase()
	}
	noText, _ := proofOf(f, erased, 2, erased.points[12])
	f.Add(uint(0), uint(0), []byte(" "))
	f.Add(uint(0), uint(len(data)), noText)
	f.Add(uint(0), uint(len(data)), []byte("null"))
	f.Add(uint(bytes.Index(data, []byte("1000"))), uint(4), []byte("1001"))
	f.Add(uint(bytes.Index(data, []byte(`"due"`))), uint(0), []byte(`"due":0,`))
	f.Add(uint(bytes.Index(data, []byte("计"))), uint(3), []byte(`\u8ba1`))
	f.Add(uint(bytes.Index(data, []byte(`"path"`))), uint(100), []byte(`"path":[]`))
	f.Fuzz(func(t *testing.T, at, cut uint, put []byte) {
		at = min(at, uint(len(data)))
		cut = min(cut, uint(len(data))-at)
		data := slices.Concat(data[:at], put, data[at+cut:])
		got, err := CheckProof(data, vkey)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsigned) && !errors.Is(err, ErrMismatch) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if !utf8.Valid(data) || len(got.Events) == 0 {
			t.Fatalf("taken: %+v", got)
		}
		// Last events may be left out, and texts be erased.
		whole := want
		whole.Erased = got.Erased
		whole.Events = want.Events[:min(len(got.Events), len(want.Events))]
		if !reflect.DeepEqual(got, whole) {
			t.Fatalf("proven: %+v, but recorded: %+v", got, want)
		}
	})
}

func BenchmarkCheckProof(b *testing.B) {
	data, vkey := sampleProof(b)
	for b.Loop() {
		if _, err := CheckProof(data, vkey); err != nil {
			b.Fatal(err)
		}
	}
}
