package archtest

import (
	"fmt"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport says which packages of the module the packages of a folder may import,
// besides those of the folder itself. Imports point one way: correction ← {changelog,
// insights, dayclose} ← {store, wechat, auth} ← handlers ← console ← cmd/console.
var mayImport = map[string][]string{
	"internal/correction": {},
	"internal/changelog":  {"internal/correction"},
	"internal/insights":   {"internal/correction"},
	"internal/dayclose":   {"internal/correction"},
	"internal/ledger":     {},
	"internal/i18n":       {"internal/correction"},
	"internal/journal":    {"internal/correction"},
	"internal/notify":     {"internal/correction"},
	"internal/config":     {"internal/correction"},
	"internal/auth":       {"internal/correction"},
	"internal/store":      {"internal/correction", "internal/changelog", "internal/insights", "internal/dayclose", "internal/auth", "internal/ledger"},
	"internal/wechat":     {"internal/correction"},
	"internal/handlers":   {"internal/correction", "internal/changelog", "internal/insights", "internal/dayclose", "internal/auth", "internal/i18n", "web/templates", "web/static"},
	"internal/checkpoint": {"internal/correction", "internal/ledger"},
	"internal/health":     {"internal/correction", "internal/wechat"},
	"internal/console":    {"internal/auth", "internal/checkpoint", "internal/changelog", "internal/config", "internal/correction", "internal/dayclose", "internal/handlers", "internal/health", "internal/insights", "internal/journal", "internal/ledger", "internal/notify", "internal/store", "internal/wechat"},
	"internal/apptest":    {"internal", "web"},
	"internal/archtest":   {},
	"internal/bench":      {"internal", "web"},
	"internal/browser":    {},
	"internal/faulttest":  {},
	"internal/proctest":   {"internal/correction", "internal/wechat"},
	"web/static":          {},
	"web/templates":       {"internal/correction", "internal/changelog", "internal/insights", "internal/dayclose", "internal/i18n", "web/static"},
	"cmd":                 {"internal", "web"},
}

// domain is what decides and reads without any other part of the program, in tests too.
var domain = []string{"internal/correction", "internal/changelog", "internal/insights", "internal/dayclose"}

// testSupport is imported by tests only, and puts the real parts together for them.
var testSupport = []string{"internal/apptest", "internal/archtest", "internal/bench", "internal/browser", "internal/faulttest", "internal/proctest", "internal/store/storetest", "internal/store/filltest"}

// onlyIn says which folders a package of somebody else may be used in, so that its
// types do not spread. Tests may use them anywhere.
var onlyIn = map[string][]string{
	"github.com/labstack/echo":            {"internal/handlers", "internal/auth", "cmd"},
	"github.com/gorilla":                  {"internal/auth"},
	"database/sql":                        {"internal/store"},
	"modernc.org":                         {"internal/store/sqlite"},
	"github.com/pressly/goose":            {"internal/store"},
	"github.com/wechatpay-apiv3":          {"internal/wechat"},
	"github.com/chromedp":                 {"internal/browser"},
	"github.com/alecthomas/kong":          {"internal/config", "cmd"},
	"golang.org/x/mod":                    {"internal/ledger"},
	"github.com/a-h/templ":                {"web/templates", "internal/handlers", "internal/wechat/simulator"},
	"math/rand":                           {}, // crypto/rand decides what must not be guessed
	"pgregory.net/rapid":                  {},
	"net/http/httptest":                   {"internal/wechat/simulator"},
	module + "/internal/wechat/simulator": {"internal/wechat", "cmd"},
}

func folderOf(dir string) (string, bool) {
	best := ""
	for f := range mayImport {
		if under(dir, f) && len(f) > len(best) {
			best = f
		}
	}
	return best, best != ""
}

// importFaults checks one Go file against the tables. Tests run the real parts
// together, so they may import what they like, except in the domain.
func importFaults(s source) []string {
	file, err := parser.ParseFile(token.NewFileSet(), s.path, s.text, parser.ImportsOnly)
	if err != nil {
		return []string{err.Error()}
	}
	var faults []string
	folder, known := folderOf(s.dir())
	if !known && !s.isTest() {
		faults = append(faults, s.dir()+": no rule says what this package may import; add one to mayImport")
	}
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return append(faults, err.Error())
		}
		if own, ok := strings.CutPrefix(path, module+"/"); ok && (!s.isTest() || slices.Contains(domain, folder)) {
			allowed := under(own, folder) || under(own, mayImport[folder]...)
			if known && !allowed || under(own, testSupport...) && !under(s.dir(), testSupport...) && !s.isTest() {
				faults = append(faults, fmt.Sprintf("%s: must not import %s", s.path, own))
			}
		}
		for prefix, folders := range onlyIn {
			if !s.isTest() && under(path, prefix) && !under(s.dir(), folders...) && !under(s.dir(), testSupport...) {
				faults = append(faults, fmt.Sprintf("%s: must not import %s", s.path, path))
			}
		}
	}
	return faults
}

func TestImports_PointOneWay(t *testing.T) {
	t.Parallel()
	var faults []string
	for _, s := range tree(t, ".go") {
		faults = append(faults, importFaults(s)...)
	}
	report(t, faults)
}

func TestImports_RuleFindsFaults(t *testing.T) {
	t.Parallel()
	imports := func(paths ...string) string {
		return "package x\nimport (\n\"" + strings.Join(paths, "\"\n\"") + "\"\n)\n"
	}
	const m = module + "/"
	finds(t, importFaults, []example{
		{"internal/correction/a.go", imports("fmt", "golang.org/x/text/unicode/norm"), ""},
		{"internal/correction/a.go", imports(m + "internal/i18n"), "internal/i18n"},
		{"internal/correction/a_test.go", imports(m + "internal/store"), "internal/store"},
		{"internal/correction/a.go", imports(m + "internal/insights"), "internal/insights"},
		{"internal/insights/a.go", imports(m + "internal/correction"), ""},
		{"internal/insights/a.go", imports(m + "internal/store"), "internal/store"},
		{"internal/insights/a.go", imports(m + "internal/dayclose"), "internal/dayclose"},
		{"internal/insights/a_test.go", imports(m + "internal/store"), "internal/store"},
		{"internal/changelog/a.go", imports(m + "internal/correction"), ""},
		{"internal/changelog/a.go", imports(m + "internal/auth"), "internal/auth"},
		{"internal/store/a.go", imports(m+"internal/correction", m+"internal/changelog", m+"internal/insights", m+"internal/auth", "database/sql"), ""},
		{"internal/store/a.go", imports(m + "internal/handlers"), "internal/handlers"},
		{"internal/wechat/a.go", imports(m + "internal/auth"), "internal/auth"},
		{"internal/wechat/simulator/a.go", imports(m+"internal/correction", m+"internal/wechat"), ""},
		{"internal/auth/a.go", imports(m+"internal/correction", "github.com/labstack/echo/v4", "github.com/gorilla/sessions"), ""},
		{"internal/auth/a.go", imports(m + "internal/store"), "internal/store"},
		{"internal/handlers/a.go", imports(m+"internal/auth", m+"web/templates/pages", m+"web/static", "github.com/labstack/echo/v4/middleware"), ""},
		{"internal/handlers/a.go", imports(m + "internal/store"), "internal/store"},
		{"internal/handlers/a.go", imports(m + "internal/wechat"), "internal/wechat"},
		{"internal/handlers/a.go", imports("database/sql"), "database/sql"},
		{"internal/handlers/a_test.go", imports(m+"internal/store", m+"internal/wechat/simulator", m+"internal/browser"), ""},
		{"internal/handlers/a.go", imports(m + "internal/browser"), "internal/browser"},
		{"internal/checkpoint/a.go", imports(m + "internal/store"), "internal/store"},
		{"internal/health/a.go", imports(m+"internal/wechat", m+"internal/correction"), ""},
		{"internal/console/a.go", imports(m+"internal/store", m+"internal/wechat", m+"internal/handlers"), ""},
		{"internal/console/a.go", imports(m + "internal/wechat/simulator"), "internal/wechat/simulator"},
		{"internal/handlers/a.go", imports(m + "internal/console"), "internal/console"},
		{"internal/apptest/a.go", imports(m+"internal/store", m+"internal/wechat/simulator", m+"internal/browser"), ""},
		{"internal/handlers/a.go", imports(m + "internal/apptest"), "internal/apptest"},
		{"web/templates/pages/a.go", imports(m+"internal/correction", m+"internal/i18n", m+"web/static", m+"web/templates/layout"), ""},
		{"web/templates/pages/a.go", imports(m + "internal/auth"), "internal/auth"},
		{"web/templates/pages/a.go", imports("github.com/labstack/echo/v4"), "echo"},
		{"internal/store/a.go", imports("github.com/labstack/echo/v4"), "echo"},
		{"internal/i18n/a.go", imports(m + "web/static"), "web/static"},
		{"internal/ledger/a.go", imports("golang.org/x/mod/sumdb/tlog"), ""},
		{"internal/ledger/a.go", imports(m + "internal/correction"), "internal/correction"},
		{"internal/store/a.go", imports("golang.org/x/mod/sumdb/tlog"), "x/mod"},
		{"cmd/console/a.go", imports(m+"internal/store", m+"internal/wechat", m+"internal/handlers", "github.com/labstack/echo/v4"), ""},
		{"cmd/console/a.go", imports(m + "internal/store/storetest"), "storetest"},
		{"cmd/console/a.go", imports(m + "internal/browser"), "internal/browser"},
		{"internal/auth/a.go", imports("math/rand"), "math/rand"},
		{"internal/auth/a.go", imports("math/rand/v2"), "math/rand"},
		{"internal/auth/a_test.go", imports("math/rand/v2"), ""},
		{"internal/novel/a.go", imports("fmt"), "no rule"},
	})
}
