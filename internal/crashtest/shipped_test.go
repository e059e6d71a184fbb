package crashtest

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// hooks are texts and names of functions of the build with places to crash at. One of
// them in a program means that its code is there.
var hooks = []string{
	"CONSOLE_CRASH_AT", "CONSOLE_PLANT", "CONSOLE_SHARED", "crash at ", "there is no such mistake",
	"afterwards).MarkSending", "silent.Sending", "retrying.Modify", "noCAS.Append", "noSendKey.Claim", "noSendKey.MarkSending", "Unguarded",
}

func TestShipped_HoldsNothingOfTheCrashTests(t *testing.T) {
	full(t)
	t.Parallel()
	count := func(path string) (found []string) {
		text := must(os.ReadFile(path))(t)
		for _, h := range hooks {
			if bytes.Contains(text, []byte(h)) {
				found = append(found, h)
			}
		}
		return found
	}
	if found := count(must(shipped())(t)); len(found) > 0 {
		t.Errorf("the shipped program holds %v", found)
	}
	if found := count(must(tagged())(t)); len(found) != len(hooks) {
		t.Errorf("the tagged program holds %v only: the test looks for the wrong texts", found)
	}
	// The files of the tag are the only ones that know of it.
	cmd := exec.Command("go", "list", "-f", "{{range .GoFiles}}{{$.ImportPath}}/{{.}}\n{{end}}", "../../...")
	for _, path := range strings.Fields(string(must(cmd.Output())(t))) {
		for _, name := range []string{"planted_on.go", "sqlite/planted.go"} {
			if strings.HasSuffix(path, name) {
				t.Errorf("%s is built without the tag", path)
			}
		}
	}
}
