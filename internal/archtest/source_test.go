package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "correction-console"

// source is one file of the tree, with its path from the root in slashes.
type source struct {
	path string
	text string
}

func (s source) dir() string {
	if i := strings.LastIndexByte(s.path, '/'); i >= 0 {
		return s.path[:i]
	}
	return "."
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// under reports whether the file is in one of the folders, or below it.
func under(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return path == f || strings.HasPrefix(path, f+"/") })
}

// foreign are folders of files that are not ours or not text.
var foreign = []string{"internal/browser/axe", "web/static/vendor"}

// tree reads the files of the module with one of the endings. The tests read through
// os, so that the cache of test results notices a change.
func tree(t *testing.T, endings ...string) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var files []source
	for _, top := range []string{"cmd", "internal", "web", "scripts", "docs"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			name = filepath.ToSlash(name)
			switch {
			case d.IsDir() && (under(name, foreign...) || d.Name() == "testdata"):
				return filepath.SkipDir
			case d.IsDir() || !slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(name, e) }):
				return nil
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files = append(files, source{name, string(text)})
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatalf("read the tree: %v", err)
		}
	}
	if len(files) == 0 {
		t.Fatalf("no file ends in %v: the test looks in the wrong place", endings)
	}
	return files
}

// report fails the test for each fault.
func report(t *testing.T, faults []string) {
	t.Helper()
	slices.Sort(faults)
	for _, f := range slices.Compact(faults) {
		t.Error(f)
	}
}

// example is a text with the fault that it has; an empty fault means none.
type example struct {
	path, text, fault string
}

// finds checks a rule against examples.
func finds(t *testing.T, rule func(source) []string, examples []example) {
	t.Helper()
	for _, e := range examples {
		got := strings.Join(rule(source{e.path, e.text}), "\n")
		if (e.fault == "") != (got == "") || !strings.Contains(got, e.fault) {
			t.Errorf("%s: %q: found %q, want %q", e.path, e.text, got, e.fault)
		}
	}
}
