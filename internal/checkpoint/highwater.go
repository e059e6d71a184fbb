package checkpoint

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// HighWaterFile lies in the journal's folder and holds the newest signed state of the
// record, so that a journal on another disk tells of more than of what was sent.
const HighWaterFile = "highwater.txt"

// MarkSigner signs the record as it stands without keeping the text; the store does.
type MarkSigner interface {
	Size(ctx context.Context) (int64, error)
	HighWater(ctx context.Context) (size int64, text []byte, err error)
}

// HighWater keeps the newest signed state of the record beside the journal.
type HighWater struct {
	signer MarkSigner
	path   string
	log    *slog.Logger
	size   int64 // that was written last; -1 before the first
	fault  bool
}

// NewHighWater keeps the mark in the journal's folder.
func NewHighWater(signer MarkSigner, folder string, log *slog.Logger) *HighWater {
	return &HighWater{signer: signer, path: filepath.Join(folder, HighWaterFile), log: log, size: -1}
}

// Write writes the mark when the record has grown. A mark that is behind misses a loss, so
// a fault is told, once until it works again; the journal's own faults stop corrections.
func (h *HighWater) Write(ctx context.Context) {
	size, err := h.signer.Size(ctx)
	if err == nil && size == h.size {
		return
	}
	var text []byte
	if err == nil {
		size, text, err = h.signer.HighWater(ctx)
	}
	if err == nil {
		err = replaceFile(h.path, text, 0o600)
	}
	if err != nil {
		if !h.fault && ctx.Err() == nil {
			h.log.Error("write the high-water mark", "err", err)
		}
		h.fault = true
		return
	}
	h.size, h.fault = size, false
}

// replaceFile writes a file whole or not at all.
func replaceFile(name string, text []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// Blind reports whether everything that could tell of an older copy would be
// copied with it.
func Blind(data, journal, folder string) bool {
	return inside(journal, data) && (folder == "" || inside(folder, data))
}

// inside reports whether a path is in a folder, links followed.
func inside(path, folder string) bool {
	real := func(p string) string {
		if p, err := filepath.EvalSymlinks(p); err == nil {
			return p
		}
		return filepath.Clean(p)
	}
	rel, err := filepath.Rel(real(folder), real(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
