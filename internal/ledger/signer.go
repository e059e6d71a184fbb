package ledger

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// product starts the name of every log.
const product = "correction-console"

// ErrKeyFile is what LoadOrCreateKey wraps when a file is there that must not be
// used as it is.
var ErrKeyFile = errors.New("unusable key file")

// Signer signs the checkpoints of one log. Safe for concurrent use.
type Signer struct {
	signer note.Signer
	vkey   string
}

// LoadOrCreateKey returns the signer of a key file, which holds one signer key of
// package note. A missing file is made, with mode 0600, a new Ed25519 key and a new
// name of the log, "correction-console/" and 8 random hex digits. A file that is not
// regular, that others may read or write, or that holds no such key is refused with
// ErrKeyFile.
func LoadOrCreateKey(path string) (*Signer, error) {
	s, err := loadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	// When another process was faster, its key counts.
	if err := createKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return loadKey(path)
}

func loadKey(path string) (*Signer, error) {
	named, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("look for ledger key: %w", err)
	}
	// Before opening: a pipe would block.
	if !named.Mode().IsRegular() {
		return nil, fmt.Errorf("ledger key %s is not a regular file: %w", path, ErrKeyFile)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open ledger key: %w", err)
	}
	defer f.Close()
	opened, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("inspect ledger key: %w", err)
	}
	if !os.SameFile(named, opened) {
		return nil, fmt.Errorf("ledger key %s changed while it was opened: %w", path, ErrKeyFile)
	}
	if mode := opened.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("ledger key %s has mode %04o, others may use it (want 0600): %w", path, mode, ErrKeyFile)
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<10))
	if err != nil {
		return nil, fmt.Errorf("read ledger key: %w", err)
	}
	s, err := parseKey(strings.TrimSuffix(string(text), "\n"))
	if err != nil {
		return nil, fmt.Errorf("ledger key %s: %w: %w", path, ErrKeyFile, err)
	}
	return s, nil
}

// parseKey reads PRIVATE+KEY+name+hash+base64(1 ‖ seed). Its errors do not quote it.
func parseKey(skey string) (*Signer, error) {
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(signer.Name(), product+"/") {
		return nil, errors.New("it is the key of something else")
	}
	// NewSigner has read the same bytes: there are five parts, and 32 bytes of seed.
	key, err := base64.StdEncoding.DecodeString(strings.SplitN(skey, "+", 5)[4])
	if err != nil {
		return nil, errors.New("malformed")
	}
	pub := ed25519.NewKeyFromSeed(key[1:]).Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(signer.Name(), pub)
	if err != nil {
		return nil, err
	}
	return &Signer{signer, vkey}, nil
}

func createKey(path string) (err error) {
	var id [4]byte
	rand.Read(id[:])
	skey, _, err := note.GenerateKey(rand.Reader, product+"/"+hex.EncodeToString(id[:]))
	if err != nil {
		return fmt.Errorf("make ledger key: %w", err)
	}
	// The name appears with the whole key in it, and takes no other's place.
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return fmt.Errorf("create ledger key: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(skey + "\n")
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write ledger key: %w", err)
	}
	// Without this the name may be gone after a power cut, and the next start would
	// begin to sign as another log. Not every file system can do it.
	if dir, e := os.Open(filepath.Dir(path)); e == nil {
		_ = dir.Sync()
		dir.Close()
	}
	return nil
}

// Name returns the name of the log, the first line of its checkpoints.
func (s *Signer) Name() string { return s.signer.Name() }

// VerifierKey returns what others need to check the signatures: name+hash+key, as
// package note reads it. It is public.
func (s *Signer) VerifierKey() string { return s.vkey }

// Sign returns the signed text of the checkpoint, which Open reads.
func (s *Signer) Sign(c Checkpoint) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	text, err := note.Sign(&note.Note{Text: c.text(s.signer.Name())}, s.signer)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	return text, nil
}
