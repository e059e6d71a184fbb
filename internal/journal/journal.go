package journal

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"correction-console/internal/correction"
)

// mostLines bounds how many lines share one sync.
const mostLines = 128

// ErrClosed is returned for lines that came after Close.
var ErrClosed = errors.New("the journal is closed")

// Journal writes the files of a folder. It implements correction.Journal and is safe
// for concurrent use.
type Journal struct {
	folder string
	now    func() time.Time
	lines  chan *pending

	closing chan struct{}
	closed  chan struct{}
	once    sync.Once

	// Of the writer's goroutine.
	file  syncer
	name  string
	ended bool // the file ends with a whole line
}

var _ correction.Journal = (*Journal)(nil)

// syncer is a file that is written to.
type syncer interface {
	io.WriteCloser
	Sync() error
}

type pending struct {
	text []byte
	err  error
	done chan struct{}
}

// Open makes the folder if it is missing and returns its journal. Close it after use.
func Open(folder string, now func() time.Time) (*Journal, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the journal's folder: %w", err)
	}
	j := &Journal{
		folder: folder, now: now, lines: make(chan *pending), closing: make(chan struct{}), closed: make(chan struct{}),
	}
	if err := j.open(fileOf(now())); err != nil { // what cannot be written is told at the start
		return nil, err
	}
	go j.writeUntilClosed()
	return j, nil
}

// Close ends the journal after the lines that were begun.
func (j *Journal) Close() error {
	j.once.Do(func() { close(j.closing) })
	<-j.closed
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}

// Folder is where the files are.
func (j *Journal) Folder() string { return j.folder }

// fileOf is the name of the file that a line written at that time goes to: one a month.
func fileOf(t time.Time) string { return "corrections-" + t.UTC().Format("2006-01") + ".jsonl" }

// Sending records a correction with its events up to the intent, before it is sent.
func (j *Journal) Sending(ctx context.Context, c correction.Correction, s correction.Signing) error {
	text, err := sendLine(c, s, j.now())
	if err == nil {
		err = j.append(ctx, text)
	}
	if err != nil {
		return fmt.Errorf("write to the journal that correction %d is sent: %w", c.ID, err)
	}
	return nil
}

// Event records what became of a correction.
func (j *Journal) Event(ctx context.Context, c correction.Correction, e correction.Event) error {
	text, err := eventLine(c, e, j.now())
	if err == nil {
		err = j.append(ctx, text)
	}
	if err != nil {
		return fmt.Errorf("write to the journal that correction %d is %s: %w", c.ID, e.State, err)
	}
	return nil
}

// Mark records that everything before is on record, or was told to a person. The key is
// on record, too, so that it tells whether an older copy took the database's place.
func (j *Journal) Mark(ctx context.Context, key [32]byte) error {
	text, err := markLine(key, j.now())
	if err == nil {
		err = j.append(ctx, text)
	}
	if err != nil {
		return fmt.Errorf("write a mark to the journal: %w", err)
	}
	return nil
}

// append writes a line and waits until it is synced. After an error of ctx the line
// may still be written.
func (j *Journal) append(ctx context.Context, text []byte) error {
	p := &pending{text: append(text, '\n'), done: make(chan struct{})}
	select {
	case j.lines <- p:
	case <-ctx.Done():
		return ctx.Err()
	case <-j.closing:
		return ErrClosed
	}
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (j *Journal) writeUntilClosed() {
	defer close(j.closed)
	for {
		var group []*pending
		select {
		case p := <-j.lines:
			group = append(group, p)
		case <-j.closing:
			return
		}
		for waiting := true; waiting && len(group) < mostLines; {
			select {
			case p := <-j.lines:
				group = append(group, p)
			default:
				waiting = false
			}
		}
		err := j.write(group)
		for _, p := range group {
			p.err = err
			close(p.done)
		}
	}
}

// write writes a group of lines and syncs once. After a fault the file is opened anew:
// a sync that failed says nothing about the next one.
func (j *Journal) write(group []*pending) error {
	if name := fileOf(j.now()); name != j.name || j.file == nil {
		if err := j.open(name); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	if !j.ended {
		b.WriteByte('\n')
	}
	for _, p := range group {
		b.Write(p.text)
	}
	j.ended = false
	_, err := j.file.Write(b.Bytes())
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.file.Close()
		j.file = nil
		return err
	}
	j.ended = true
	return nil
}

func (j *Journal) open(name string) error {
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
	path := filepath.Join(j.folder, name)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the journal: %w", err)
	}
	j.ended, err = endsWhole(f)
	if err == nil {
		err = syncFolder(j.folder)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("open the journal %s: %w", path, err)
	}
	j.file, j.name = f, name
	return nil
}

// endsWhole reports whether a file is empty or ends with the end of a line.
func endsWhole(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return true, err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], info.Size()-1); err != nil {
		return false, err
	}
	return last[0] == '\n', nil
}

func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Damaged is a line that cannot be read: cut by a stop, or altered.
type Damaged struct {
	File string
	Line int
	Err  error
}

func (d Damaged) Error() string { return fmt.Sprintf("%s line %d: %v", d.File, d.Line, d.Err) }

// files lists the files of a folder, oldest first; none when there is no folder.
func files(folder string) ([]string, error) {
	all, err := os.ReadDir(folder) // sorted by name
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, f := range all {
		if filepath.Ext(f.Name()) == ".jsonl" {
			names = append(names, filepath.Join(folder, f.Name()))
		}
	}
	return names, err
}

// Read calls each for every record of a folder, oldest first, and returns the lines
// that cannot be read. It stops at the first error of each. A folder that does not
// exist holds nothing.
func Read(folder string, each func(Record) error) ([]Damaged, error) {
	names, err := files(folder)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	var damaged []Damaged
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return damaged, fmt.Errorf("read the journal: %w", err)
		}
		err = eachLine(f, func(n int, text []byte) error {
			r, err := parse(text)
			if err != nil {
				damaged = append(damaged, Damaged{name, n, err})
				return nil
			}
			return each(r)
		})
		f.Close()
		if err != nil {
			return damaged, err
		}
	}
	return damaged, nil
}

func eachLine(r io.Reader, each func(n int, text []byte) error) error {
	b := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		text, err := b.ReadBytes('\n')
		if text = bytes.TrimSpace(text); len(text) > 0 {
			if err := each(n, text); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
	}
}

// lastWindow is how much of the end of a file Newest reads: more than any line is long.
const lastWindow = 1 << 20

// Newest returns the newest whole records of a folder, the newest first, n at most and
// one at least if there is one.
func Newest(folder string, n int) ([]Record, error) {
	names, err := files(folder)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	var out []Record
	for _, name := range slices.Backward(names) {
		text, err := tail(name)
		if err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		for _, l := range slices.Backward(bytes.Split(text, []byte{'\n'})) {
			if len(bytes.TrimSpace(l)) == 0 {
				continue
			}
			if r, err := parse(l); err == nil {
				out = append(out, r)
			}
			if len(out) == n {
				return out, nil
			}
		}
		if len(text) == lastWindow { // there may be more in this file: what is older does not follow
			break
		}
	}
	return out, nil
}

func tail(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-lastWindow)
	return io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
}
