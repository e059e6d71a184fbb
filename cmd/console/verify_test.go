package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"correction-console/internal/correction"
	"correction-console/internal/ledger"
)

// verifies is a record with a checkpoint and a proof from before its newest events.
type verifies struct {
	*bench
	dir        string
	key        string
	checkpoint []byte
	proof      []byte
}

func newVerifies(t *testing.T) *verifies {
	t.Helper()
	b, signer := signedBench(t)
	v := &verifies{bench: b, dir: t.TempDir(), key: signer.VerifierKey()}
	for i := range 5 {
		c := b.prepare(1, "lin", fmt.Sprintf("A%d", i))
		b.send(&c)
		if i < 4 {
			b.follow(&c, correction.Event{State: correction.Applied, Detail: correction.Detail{RequestID: "R-1", Reading: &c.Base}})
		}
	}
	c, err := b.st.Checkpoint(t.Context())
	b.ok(err)
	v.checkpoint = []byte(c.Note)
	v.proof, err = b.st.Proof(t.Context(), 2)
	b.ok(err)
	later := b.prepare(1, "lin", "B1")
	b.claim(&later)
	b.close()
	return v
}

// file writes a file to hand to the command.
func (v *verifies) file(name string, text []byte) string {
	v.t.Helper()
	path := filepath.Join(v.dir, name)
	v.ok(os.WriteFile(path, text, 0o600))
	return path
}

func (v *verifies) run(code int, says string, args ...string) {
	v.t.Helper()
	got, out, msg := execute(v.t, v.env, "", append([]string{"verify"}, args...)...)
	if got != code || !strings.Contains(out+msg, says) || strings.Contains(msg, "goroutine ") {
		v.t.Errorf("%v: exit code %d, want %d with %q\n%s%s", args, got, code, says, out, msg)
	}
}

func TestVerify_ExitCodes(t *testing.T) {
	t.Parallel()
	v := newVerifies(t)
	other, err := ledger.LoadOrCreateKey(filepath.Join(v.dir, "other.key"))
	v.ok(err)
	good, err := ledger.Open(v.checkpoint, v.key)
	v.ok(err)
	resign := func(s *ledger.Signer, change func(*ledger.Checkpoint)) []byte {
		c := good
		change(&c)
		text, err := s.Sign(c)
		v.ok(err)
		return text
	}
	mine, err := ledger.LoadOrCreateKey(filepath.Join(v.data, "checkpoint.key"))
	v.ok(err)

	v.run(0, "is as it was written")
	v.run(0, "no checkpoint from elsewhere was given")
	v.run(0, "agrees: 19 events", "--checkpoint", v.file("good", v.checkpoint))
	v.run(1, "not the one of the checkpoint", "--checkpoint", v.file("root", resign(mine, func(c *ledger.Checkpoint) { c.Root[3] ^= 1 })))
	v.run(1, "of the 100 records", "--checkpoint", v.file("ahead", resign(mine, func(c *ledger.Checkpoint) { c.Size = 100 })))
	v.run(1, "not signed", "--checkpoint", v.file("forged", bytes.Replace(v.checkpoint, []byte("\n19\n"), []byte("\n18\n"), 1)))
	v.run(1, "the key is another one", "--checkpoint", v.file("foreign", resign(other, func(*ledger.Checkpoint) {})))
	for _, n := range []int{0, 1, len(v.checkpoint) / 2, len(v.checkpoint) - 2} {
		v.run(1, "truncated", "--checkpoint", v.file("truncated", v.checkpoint[:n]))
	}
	v.run(1, "not the one of the checkpoint", "--checkpoint", v.file("good", v.checkpoint), "--checkpoint", filepath.Join(v.dir, "root"))
	v.run(2, "--checkpoint", "--checkpoint", filepath.Join(v.dir, "none"))
	v.run(1, "none.db", "--database", filepath.Join(v.dir, "none.db"))
	v.run(1, "the key is another one", "--key", other.VerifierKey())
	v.run(0, "is as it was written", "--key", other.VerifierKey(), "--key", v.key)
	v.run(0, "not covered, for it is not in the proof: people")
	v.run(1, "", "--key", "no key")
	v.run(2, "unknown flag", "--what")

	// Offline, on a copy alone.
	data := v.copied()
	elsewhere := t.TempDir()
	copied := filepath.Join(elsewhere, "copy.db")
	v.ok(os.WriteFile(copied, data, 0o400))
	v.env = []string{"CONSOLE_DATA=" + filepath.Join(elsewhere, "none")}
	v.run(2, "--key", "--database", copied)
	v.run(0, "agrees", "--database", copied, "--key", v.key, "--checkpoint", filepath.Join(v.dir, "good"))
	v.run(0, "agrees", "--database", copied, "--key", v.file("key", []byte(v.key+"\n")), "--checkpoint", filepath.Join(v.dir, "good"))
	if names, err := os.ReadDir(elsewhere); err != nil || len(names) != 1 {
		t.Errorf("it left %v %v", names, err)
	}
	v.ok(os.WriteFile(filepath.Join(elsewhere, "text.db"), []byte(strings.Repeat("no database", 100)), 0o600))
	v.run(1, "not a database", "--database", filepath.Join(elsewhere, "text.db"), "--key", v.key)
	cut := filepath.Join(elsewhere, "cut.db")
	v.ok(os.WriteFile(cut, data[:len(data)/2], 0o600))
	v.run(1, "malformed", "--database", cut, "--key", v.key)
	data = bytes.ReplaceAll(data, []byte("Other已核实"), []byte("Other未核实"))
	altered := filepath.Join(elsewhere, "altered.db")
	v.ok(os.WriteFile(altered, data, 0o600))
	v.run(1, "not as it was written", "--database", altered, "--key", v.key)
}

var text = regexp.MustCompile(`"([^"\\]*)"|-?\d+|true|false`)

// Each value of a proof is changed, one at a time.
func TestVerify_AProofThatWasAlteredProvesNothing(t *testing.T) {
	t.Parallel()
	v := newVerifies(t)
	v.env = nil // nothing but the key is needed
	v.run(0, "is a proof of correction 2 of order A1", "--proof", v.file("proof", v.proof), "--key", v.key)
	v.run(2, "--proof", "--proof", filepath.Join(v.dir, "none"), "--key", v.key)
	other, err := ledger.LoadOrCreateKey(filepath.Join(v.dir, "other.key"))
	v.ok(err)
	v.run(1, "proves nothing", "--proof", filepath.Join(v.dir, "proof"), "--key", other.VerifierKey())
	v.run(1, "proves nothing", "--proof", v.file("cut", v.proof[:len(v.proof)-10]), "--key", v.key)
	tried := 0
	for _, at := range text.FindAllIndex(v.proof, -1) {
		was := v.proof[at[0]:at[1]]
		rest := bytes.TrimLeft(v.proof[at[1]:], " ")
		if was[0] == '"' && bytes.HasPrefix(rest, []byte(":")) { // a name: the next one is its value
			continue
		}
		altered := bytes.Clone(v.proof)
		switch {
		case string(was) == "true":
			altered = bytes.Join([][]byte{v.proof[:at[0]], []byte("false"), v.proof[at[1]:]}, nil)
		case string(was) == "false":
			altered = bytes.Join([][]byte{v.proof[:at[0]], []byte("true"), v.proof[at[1]:]}, nil)
		case was[0] == '"' && len(was) == 2:
			altered = bytes.Join([][]byte{v.proof[:at[0]], []byte(`"x"`), v.proof[at[1]:]}, nil)
		default: // the middle of it
			m := (at[0] + at[1]) / 2
			if altered[m]++; altered[m] == '9'+1 {
				altered[m] = '0'
			}
		}
		tried++
		if !json.Valid(altered) {
			continue
		}
		if r, err := ledger.CheckProof(altered, v.key); err == nil {
			t.Errorf("%s altered at %d still proves %+v", was, at[0], r)
		}
		if tried%25 == 0 { // the command takes its time
			v.run(1, "proves nothing", "--proof", v.file("altered", altered), "--key", v.key)
		}
	}
	if tried < 50 {
		t.Errorf("only %d values", tried)
	}
}
