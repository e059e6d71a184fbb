package auth

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// keySize is the size of the key file in bytes.
const keySize = 32

// ErrKeyFile is what LoadOrCreateKey wraps when a file is there that must not be
// used as it is.
var ErrKeyFile = errors.New("unusable key file")

// LoadOrCreateKey returns the 32 bytes of the key file. A missing file is made with
// random bytes and mode 0600. A file that is not regular (a link, a folder, a
// pipe), that others may read or write, or that is not 32 bytes long is refused
// with ErrKeyFile.
func LoadOrCreateKey(path string) ([]byte, error) {
	key, err := loadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key, err = createKey(path)
	if errors.Is(err, fs.ErrExist) {
		return loadKey(path)
	}
	return key, err
}

func loadKey(path string) ([]byte, error) {
	named, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("look for key file: %w", err)
	}
	// Before opening: a pipe would block.
	if !named.Mode().IsRegular() {
		return nil, fmt.Errorf("key file %s is not a regular file: %w", path, ErrKeyFile)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open key file: %w", err)
	}
	defer f.Close()
	opened, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("inspect key file: %w", err)
	}
	if !os.SameFile(named, opened) {
		return nil, fmt.Errorf("key file %s changed while it was opened: %w", path, ErrKeyFile)
	}
	if mode := opened.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("key file %s has mode %04o, others may use it (want 0600): %w", path, mode, ErrKeyFile)
	}
	key, err := io.ReadAll(io.LimitReader(f, keySize+1))
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	if len(key) != keySize {
		return nil, fmt.Errorf("key file %s does not hold %d bytes: %w", path, keySize, ErrKeyFile)
	}
	return key, nil
}

func createKey(path string) (_ []byte, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create key file: %w", err)
	}
	// A file half written would be refused at every later start.
	defer func() {
		if err != nil {
			os.Remove(path)
		}
	}()
	key := make([]byte, keySize)
	rand.Read(key)
	_, err = f.Write(key)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return nil, fmt.Errorf("write key file: %w", err)
	}
	// Without this the name may be gone after a power cut, and with it all sessions.
	// Not every file system can do it.
	if dir, e := os.Open(filepath.Dir(path)); e == nil {
		_ = dir.Sync()
		dir.Close()
	}
	return key, nil
}

// Keys are derived from the key file, one for each purpose.
type Keys struct {
	Cookie  []byte // MAC of the session cookie
	Known   []byte // MAC of the cookie of a browser that signed in before
	Confirm []byte // confirmation tokens
	Kept    []byte // AES-256 key of forms that a browser keeps over a sign-in
	// Installation is in the names of the cookies: those of two consoles on one host
	// would else be one, because cookies know no ports. Processes with one key file are
	// one installation.
	Installation string
}

// installationSize is how many bytes tell installations apart.
const installationSize = 5

// DeriveKeys derives the keys from the 32 bytes of the key file.
func DeriveKeys(key []byte) (Keys, error) {
	if len(key) != keySize {
		return Keys{}, fmt.Errorf("derive keys: %d bytes: %w", len(key), ErrKeyFile)
	}
	var k Keys
	for _, d := range []struct {
		to   *[]byte
		info string
	}{
		{&k.Cookie, "correction-console session cookie 1"},
		{&k.Known, "correction-console known browser 1"},
		{&k.Confirm, "correction-console confirmation 1"},
		{&k.Kept, "correction-console kept form 1"},
	} {
		sub, err := hkdf.Key(sha256.New, key, nil, d.info, keySize)
		if err != nil {
			return Keys{}, fmt.Errorf("derive keys: %w", err)
		}
		*d.to = sub
	}
	id, err := hkdf.Key(sha256.New, key, nil, "correction-console installation 1", installationSize)
	if err != nil {
		return Keys{}, fmt.Errorf("derive keys: %w", err)
	}
	k.Installation = strings.ToLower(base32.StdEncoding.EncodeToString(id))
	return k, nil
}
