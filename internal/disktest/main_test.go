// Package disktest lets the disk fail under the real program: system calls that end in
// an error (trust.md §6.3), file systems that are full, and file systems that are
// suddenly read-only. What the program has on record afterwards, and what it said
// meanwhile, is compared with what a simulated WeChat knows to have happened.
//
// The tests need root, mount and strace. Without them they are skipped, and with CI=true
// that is a failure.
package disktest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"correction-console/internal/proctest"
)

// bin is the folder of the program under test.
var bin string

func TestMain(m *testing.M) {
	code := 1
	var err error
	if bin, err = os.MkdirTemp("", "disktest-"); err == nil {
		code = m.Run()
		if f := total.figures; f.runs > 0 {
			fmt.Printf("disk faults: %d runs tried, %d sends without a durable intent, %d corrupt files, %d failed starts\n", f.runs, f.unintended, f.corrupt, f.failedStarts)
		}
		os.RemoveAll(bin)
	}
	os.Exit(code)
}

// full reports whether everything is to be tried, which takes half an hour: make
// test-disk-full.
func full() bool { return os.Getenv("CONSOLE_DISK_FULL") != "" }

// needs skips the test where it cannot run; what it needs are programs and devices.
func needs(t *testing.T, things ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes minutes")
	}
	missing := ""
	for _, name := range things {
		_, err := exec.LookPath(name)
		if strings.HasPrefix(name, "/") {
			_, err = os.Stat(name)
		}
		if err != nil {
			missing = name
		}
	}
	if os.Geteuid() != 0 {
		missing = "root"
	} else if err := mountable(); err != nil {
		missing = err.Error()
	}
	if missing == "" {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("cannot make a disk fail: %s is missing", missing)
	}
	t.Skipf("cannot make a disk fail: %s is missing", missing)
}

// mountable tells why file systems cannot be mounted.
var mountable = sync.OnceValue(func() error {
	folder := filepath.Join(bin, "mountable")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "disktest", folder).CombinedOutput(); err != nil {
		return fmt.Errorf("mount (%s)", out)
	}
	return exec.Command("umount", folder).Run()
})

// program is the console as it is shipped.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(bin, "console")
	return path, proctest.Build(path, "-trimpath", "-ldflags", "-s -w")
})
