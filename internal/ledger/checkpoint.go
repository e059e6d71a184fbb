package ledger

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is the state of the log at one time.
type Checkpoint struct {
	Size int64
	Root [32]byte
	AtMS int64
}

// Errors of Open.
var (
	// ErrUnsigned: no signature of the log's own key that holds.
	ErrUnsigned = errors.New("not signed with the ledger's key")
	// ErrOtherKey: signed, but with none of the keys that were given. It says nothing
	// about whether anything was altered. It is an ErrUnsigned, too.
	ErrOtherKey = errors.New("signed with another key")
	// ErrMalformed: not a text that this package writes.
	ErrMalformed = errors.New("malformed")
)

// timeForm is RFC 3339 in UTC with milliseconds, always the same length.
const timeForm = "2006-01-02T15:04:05.000Z"

// maxCheckpoint is the size in bytes of the longest signed checkpoint that is read;
// signatures of others may be added to it.
const maxCheckpoint = 64 << 10

// text is the C2SP checkpoint: origin, size, root, and the time as an extension line.
func (c Checkpoint) text(origin string) string {
	return fmt.Sprintf("%s\n%d\n%s\n%s\n", origin, c.Size, tlog.Hash(c.Root), time.UnixMilli(c.AtMS).UTC().Format(timeForm))
}

// parseCheckpoint reads what text writes, and only that.
func parseCheckpoint(text string) (c Checkpoint, origin string, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 5 {
		return c, "", fmt.Errorf("checkpoint of %d lines: %w", len(lines)-1, ErrMalformed)
	}
	size, errSize := strconv.ParseInt(lines[1], 10, 64)
	root, errRoot := tlog.ParseHash(lines[2])
	at, errAt := time.Parse(timeForm, lines[3])
	c = Checkpoint{size, root, at.UnixMilli()}
	if err := errors.Join(errSize, errRoot, errAt, c.check()); err != nil {
		return Checkpoint{}, "", fmt.Errorf("checkpoint: %w: %w", ErrMalformed, err)
	}
	// One text for one checkpoint: what is printed can be compared by eye.
	if c.text(lines[0]) != text {
		return Checkpoint{}, "", fmt.Errorf("checkpoint: not written as it should be: %w", ErrMalformed)
	}
	return c, lines[0], nil
}

func (c Checkpoint) check() error {
	if c.Size < 0 || c.Size > maxSize {
		return fmt.Errorf("a log of %d records", c.Size)
	}
	if y := time.UnixMilli(c.AtMS).UTC().Year(); y < 1 || y > 9999 {
		return fmt.Errorf("time %d", c.AtMS)
	}
	return nil
}

// Open returns the checkpoint of a signed text. It must bear the signature of one of
// the verifier keys, and the key must be that of the log that the text names;
// signatures of others may stand beside it. ErrUnsigned or ErrMalformed.
func Open(text []byte, vkeys ...string) (Checkpoint, error) {
	c, _, err := open(text, vkeys)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("open checkpoint: %w", err)
	}
	return c, nil
}

// otherKey is the error of a text that only keys which are not known have signed.
type otherKey struct{ names []string }

func (e *otherKey) Error() string {
	return fmt.Sprintf("the key is another one: signed with %s", strings.Join(e.names, ", "))
}

func (e *otherKey) Is(target error) bool { return target == ErrOtherKey || target == ErrUnsigned }

// unknownSigners tells whose signatures a text bears.
func unknownSigners(sigs []note.Signature) *otherKey {
	e := &otherKey{}
	for _, s := range sigs {
		e.names = append(e.names, fmt.Sprintf("%s+%08x", s.Name, s.Hash))
	}
	return e
}

// open returns the name of the key, too.
func open(text []byte, vkeys []string) (c Checkpoint, name string, err error) {
	known := make([]note.Verifier, 0, len(vkeys))
	for i, k := range vkeys {
		if slices.Contains(vkeys[:i], k) {
			continue
		}
		v, err := note.NewVerifier(k)
		if err != nil {
			return c, "", fmt.Errorf("verifier key %q: %w", k, err)
		}
		known = append(known, v)
	}
	if len(text) > maxCheckpoint {
		return c, "", fmt.Errorf("%d bytes: %w", len(text), ErrMalformed)
	}
	n, err := note.Open(text, note.VerifierList(known...))
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified) && len(unverified.Note.UnverifiedSigs) > 0:
		return c, "", unknownSigners(unverified.Note.UnverifiedSigs)
	case errors.As(err, &unverified), errors.As(err, &invalid):
		return c, "", fmt.Errorf("%w: %w", ErrUnsigned, err)
	case err != nil:
		return c, "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	c, name, err = parseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, "", err
	}
	for _, sig := range n.Sigs { // the bits that the last character does not need are zero
		if _, err := base64.StdEncoding.Strict().DecodeString(sig.Base64); err != nil {
			return Checkpoint{}, "", fmt.Errorf("signature of %q: %w: %w", sig.Name, ErrMalformed, err)
		}
	}
	if !slices.ContainsFunc(n.Sigs, func(s note.Signature) bool { return s.Name == name }) {
		return Checkpoint{}, "", fmt.Errorf("it is a checkpoint of %q: %w", name, ErrUnsigned)
	}
	return c, name, nil
}

// unsigned returns the checkpoint of a signed text without a look at the signatures.
func unsigned(text []byte) (Checkpoint, error) {
	c, _, err := Claimed(text)
	return c, err
}

// Claimed returns what a signed text says, and of which log, without a look at the
// signatures: anybody could have written it. ErrMalformed.
func Claimed(text []byte) (c Checkpoint, origin string, err error) {
	if len(text) > maxCheckpoint {
		return c, "", fmt.Errorf("checkpoint of %d bytes: %w", len(text), ErrMalformed)
	}
	body, sigs, ok := strings.Cut(string(text), "\n\n")
	if !ok || sigs == "" {
		return c, "", fmt.Errorf("checkpoint without a signature: %w", ErrMalformed)
	}
	return parseCheckpoint(body + "\n")
}

// Consistent says whether the log of the newer checkpoint begins with that of the
// older one. hr reads the log's hashes, which need not be trusted. ErrMismatch when
// it does not.
func Consistent(older, newer Checkpoint, hr tlog.HashReader) error {
	err := errors.Join(older.check(), newer.check())
	switch {
	case err != nil:
		return fmt.Errorf("compare checkpoints: %w: %w", ErrMalformed, err)
	case older.Size > newer.Size:
		err = errors.New("the log got shorter")
	case older.Size == 0 && older.Root != emptyRoot || newer.Size == 0 && newer.Root != emptyRoot:
		err = errors.New("the root of an empty log is another")
	case older.Size == 0:
		return nil
	default:
		var proof tlog.TreeProof
		if proof, err = tlog.ProveTree(newer.Size, older.Size, hr); err != nil {
			return fmt.Errorf("compare checkpoints: %w", err)
		}
		err = tlog.CheckTree(proof, newer.Size, newer.Root, older.Size, older.Root)
	}
	if err != nil {
		return fmt.Errorf("compare the checkpoints of %d and %d records: %w: %w", older.Size, newer.Size, ErrMismatch, err)
	}
	return nil
}

// ErrMismatch: what is claimed is not what the checkpoint stands for.
var ErrMismatch = errors.New("not what was recorded")
