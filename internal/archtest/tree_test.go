package archtest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mostBytes is how large a file of the tree may be.
const mostBytes = 1 << 20

// built begin programs: ELF, Mach-O (both orders, and for several machines) and Windows.
var built = [][]byte{[]byte("\x7fELF"), {0xfe, 0xed, 0xfa, 0xce}, {0xfe, 0xed, 0xfa, 0xcf}, {0xce, 0xfa, 0xed, 0xfe}, {0xcf, 0xfa, 0xed, 0xfe}, {0xca, 0xfe, 0xba, 0xbe}, []byte("MZ")}

// made are the folders and files that the targets of the Makefile make and git ignores.
var made = []string{".git", "bin", "dist", "screenshots", ".demo", "coverage.out"}

// bulkFaults finds what must not be committed: large files and built programs. size is
// that of the file, head how it begins.
func bulkFaults(path string, size int64, head []byte) []string {
	var faults []string
	if size > mostBytes {
		faults = append(faults, fmt.Sprintf("%s: %d bytes, more than %d", path, size, mostBytes))
	}
	for _, b := range built {
		if bytes.HasPrefix(head, b) {
			faults = append(faults, path+": is a built program")
		}
	}
	return faults
}

func TestTree_HoldsNothingLargeOrBuilt(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	var faults []string
	seen := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		ignored := under(name, made...) || strings.HasSuffix(name, ".test") || strings.HasSuffix(name, ".prof") || strings.Contains(name, ".db")
		if d.IsDir() && ignored {
			return filepath.SkipDir
		}
		if ignored || !d.Type().IsRegular() {
			return nil
		}
		seen++
		info, err := d.Info()
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		head := make([]byte, 4)
		n, _ := f.Read(head) // an empty file is none
		faults = append(faults, bulkFaults(name, info.Size(), head[:n])...)
		return nil
	})
	if err != nil || seen < 100 {
		t.Fatalf("%d files, %v", seen, err)
	}
	report(t, faults)
}

func TestTree_RuleFindsFaults(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		size  int64
		head  string
		fault bool
	}{{mostBytes, "pack", false}, {mostBytes + 1, "pack", true}, {100, "\x7fELF", true}, {100, "MZ\x90\x00", true}, {100, "\xcf\xfa\xed\xfe", true}, {0, "", false}} {
		if got := bulkFaults("a", x.size, []byte(x.head)); (len(got) > 0) != x.fault {
			t.Errorf("%d bytes, %q: %v", x.size, x.head, got)
		}
	}
}
