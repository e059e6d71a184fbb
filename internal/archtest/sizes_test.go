package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Sizes above which a file, a function or an interface is to be split. Tests and tables
// of words are longer.
const (
	mostLines     = 500
	mostFuncLines = 80
	mostMethods   = 12
)

// wordTables are functions that are nothing but a choice between texts.
var wordTables = []string{"web/templates/pages/error_words.go request", "web/templates/pages/error_words.go midway", "internal/i18n/settings.go SettingLines"}

func sizeFaults(s source) []string {
	if s.isTest() || strings.HasSuffix(s.path, "_templ.go") {
		return nil
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, s.path, s.text, parser.SkipObjectResolution)
	if err != nil {
		return []string{err.Error()}
	}
	var faults []string
	if n := strings.Count(s.text, "\n"); n > mostLines {
		faults = append(faults, fmt.Sprintf("%s: %d lines, more than %d", s.path, n, mostLines))
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			lines := set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1
			if lines > mostFuncLines && !slices.Contains(wordTables, s.path+" "+n.Name.Name) {
				faults = append(faults, fmt.Sprintf("%s: func %s has %d lines, more than %d", s.path, n.Name.Name, lines, mostFuncLines))
			}
		case *ast.TypeSpec:
			if i, ok := n.Type.(*ast.InterfaceType); ok {
				methods := 0
				for _, m := range i.Methods.List {
					methods += len(m.Names) // an embedded interface has none
				}
				if methods > mostMethods {
					faults = append(faults, fmt.Sprintf("%s: interface %s has %d methods, more than %d", s.path, n.Name.Name, methods, mostMethods))
				}
			}
		}
		return true
	})
	return faults
}

func TestSizes_StayReadable(t *testing.T) {
	t.Parallel()
	each(t, sizeFaults, all, ".go")
}

func TestSizes_RuleFindsFaults(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("\n", n) }
	method := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "\tM%d()\n", i)
		}
		return b.String()
	}
	finds(t, sizeFaults, []example{
		{"internal/a/a.go", "package a" + long(500), ""},
		{"internal/a/a.go", "package a" + long(501), "501 lines"},
		{"internal/a/a_test.go", "package a" + long(501), ""},
		{"internal/a/a.go", "package a\nfunc f() {" + long(79) + "}\n", ""},
		{"internal/a/a.go", "package a\nfunc f() {" + long(80) + "}\n", "func f has 81"},
		{"internal/a/a.go", "package a\ntype I interface {\n" + method(12) + "}\n", ""},
		{"internal/a/a.go", "package a\ntype I interface {\n" + method(13) + "}\n", "interface I has 13"},
		{"internal/a/a.go", "package a\ntype I interface {\nA\nB\n" + method(12) + "}\n", ""},
	})
}

// servicesOnly keep handlers from reaching through a service to its store, and from
// deciding what the domain decides.
var servicesOnly = []ban{
	{regexp.MustCompile(`\bCorrections\.(Store|Gateway|Journal)\b`), "reaches through the service"},
	{regexp.MustCompile(`\b(policy|Policy)\.(Check|AsksTotal)\b|\bPolicyNow\b`), "decides what the domain decides"},
}

func serviceFaults(s source) []string {
	if s.isTest() || !under(s.dir(), "internal/handlers") {
		return nil
	}
	return banned(s, servicesOnly)
}

func TestHandlers_AskServicesOnly(t *testing.T) {
	t.Parallel()
	each(t, serviceFaults, all, ".go")
}

func TestHandlers_RuleFindsFaults(t *testing.T) {
	t.Parallel()
	const p = "internal/handlers/a.go"
	finds(t, serviceFaults, []example{
		{p, "v, err := s.Corrections.FormView(ctx, a, &f, nil)", ""},
		{p, "s.Corrections.Store.Correction(ctx, id)", "reaches through"},
		{p, "s.Corrections.PolicyNow(ctx)", "decides"},
		{p, "policy.Check(f, o, x)", "decides"},
		{"internal/handlers/a_test.go", "a.Service.Corrections.Store.X()", ""},
	})
}
