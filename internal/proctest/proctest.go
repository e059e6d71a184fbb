// Package proctest runs the real program and a simulated WeChat as processes of their
// own, for the tests that kill, starve or overload them. The WeChat is another life of the
// test binary: its TestMain calls BeWeChat when it is told to.
package proctest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Build makes the console at path, with flags of go build. The test runs in a folder of
// internal.
func Build(path string, flags ...string) error {
	if err := noteSources(); err != nil {
		return err
	}
	args := append([]string{"build", "-buildvcs=false", "-o", path}, flags...)
	cmd := exec.Command("go", append(args, "correction-console/cmd/console")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", filepath.Base(path), err, out)
	}
	return nil
}

// noteSources looks at each file that the program is made of, so that the cache of test
// results notices a change.
func noteSources() error {
	for _, top := range []string{"cmd", "internal", "web"} {
		err := filepath.WalkDir(filepath.Join("..", "..", top), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.HasSuffix(path, "_test.go") {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("look at the sources: %w", err)
		}
	}
	return nil
}

// Console is one life of the console.
type Console struct {
	Cmd     *exec.Cmd
	Address string        // host and port that it listens at; set once Up is closed
	Up      chan struct{} // closed when it listens
	Gone    chan struct{} // closed when it has ended

	most int
	mu   sync.Mutex
	said bytes.Buffer
}

// StartConsole starts a life without waiting for anything. What it says on standard error
// is kept: all of it, or, if most is not 0, about so many bytes of what is more than news.
func StartConsole(cmd *exec.Cmd, most int) (*Console, error) {
	p := &Console{Cmd: cmd, Up: make(chan struct{}), Gone: make(chan struct{}), most: most}
	pipe, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		lines := bufio.NewScanner(pipe)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() { // until a program that wraps it is gone, too
			p.hear(lines.Bytes())
		}
		cmd.Wait()
		close(p.Gone)
	}()
	return p, nil
}

func (p *Console) hear(text []byte) {
	var line struct{ Msg, Address, Level string }
	if json.Unmarshal(text, &line) == nil {
		if line.Msg == "listening" {
			p.Address = line.Address
			close(p.Up)
		}
		if line.Level == "INFO" && p.most > 0 {
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.most > 0 && p.said.Len() > p.most {
		p.said.Reset()
	}
	p.said.Write(append(text, '\n'))
}

// Words is what it said last.
func (p *Console) Words() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// Ended reports whether it has ended.
func (p *Console) Ended() bool {
	select {
	case <-p.Gone:
		return true
	default:
		return false
	}
}

// Child is another life of the test binary, which is spoken to in lines of JSON.
type Child struct {
	PID   int
	Close func() // ends its standard input and waits for it

	in  io.WriteCloser
	out *bufio.Reader
}

// StartChild starts one that finds value in the environment under the name role, through
// the command given, if any. It ends with the test.
func StartChild(t testing.TB, role, value string, through ...string) *Child {
	t.Helper()
	c, err := startChild(role, value, through)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func startChild(role, value string, through []string) (*Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append(through, self)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), role+"="+value)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Child{PID: cmd.Process.Pid, in: in, out: bufio.NewReader(out), Close: sync.OnceFunc(func() {
		in.Close()
		cmd.Wait()
	})}, nil
}

// Hear reads what the child says next.
func (c *Child) Hear(v any) error {
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, v)
}

// Tell tells the child something.
func (c *Child) Tell(v any) error { return json.NewEncoder(c.in).Encode(v) }
