package i18n_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
)

func has(s string, in func(rune) bool) bool { return strings.ContainsFunc(s, in) }

func han(r rune) bool { return unicode.Is(unicode.Han, r) }

// wide are the marks of Chinese type, from the ideographic space to the full-width
// forms.
func wide(r rune) bool { return r >= 0x3000 && r <= 0x303f || r >= 0xff00 && r <= 0xffef }

var verb = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]`)

// fault says what is wrong with a text, nothing when it is right. A text of marks
// alone, such as the comma of a list, has no words in either language.
func fault(t i18n.Text) string {
	switch {
	case t.ZH == "" || has(verb.ReplaceAllString(t.ZH, ""), unicode.IsLetter) && !has(t.ZH, han):
		return "the Chinese text has no Chinese"
	case t.EN == "":
		return "the English text is missing"
	case has(t.EN, han) || has(t.EN, wide):
		return "the English text has Chinese in it"
	}
	return ""
}

func TestWords_AreCompleteInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, s := range correction.States {
		if f := fault(i18n.StateWord(s)); f != "" {
			t.Errorf("word for state %s: %s", s, f)
		}
		if f := fault(i18n.StateNote(s)); f != "" {
			t.Errorf("note for state %s: %s", s, f)
		}
	}
	for _, r := range correction.Roles {
		if f := fault(i18n.RoleWord(r)); f != "" {
			t.Errorf("word for role %s: %s", r, f)
		}
	}
	if f := fault(i18n.ProductName); f != "" {
		t.Error("product name:", f)
	}
}

// The words of product.md §5 are a contract with the people who read them.
func TestStateWord_IsTheAgreedWord(t *testing.T) {
	t.Parallel()
	for s, want := range map[correction.State]i18n.Text{
		correction.Prepared: {ZH: "待确认", EN: "To confirm"}, correction.Claimed: {ZH: "提交中", EN: "Sending"},
		correction.Sending: {ZH: "提交中", EN: "Sending"}, correction.Applied: {ZH: "已生效", EN: "Applied"},
		correction.Rejected: {ZH: "微信拒绝", EN: "Refused by WeChat"}, correction.NotSent: {ZH: "未发出", EN: "Not sent"},
		correction.Unknown: {ZH: "结果确认中", EN: "Checking the result"}, correction.NotApplied: {ZH: "未生效", EN: "Not applied"},
		correction.NeedsPerson: {ZH: "需人工核对", EN: "Needs a person"}, correction.Stale: {ZH: "订单已变化", EN: "Order changed"},
		correction.Expiry: {ZH: "已过期", EN: "Expired"}, correction.Withdrawn: {ZH: "已撤回", EN: "Withdrawn"},
		correction.Void: {ZH: "已作废", EN: "Void"},
	} {
		if got := i18n.StateWord(s); got != want {
			t.Errorf("%s: %v, want %v", s, got, want)
		}
	}
}

// A word in the wrong place or language is not seen by the compiler; this reads
// the literals of every T, F and Text in the interface.
func TestTexts_StandInTheirLanguage(t *testing.T) {
	t.Parallel()
	texts := 0
	for _, root := range []string{"../../web", "../../internal/i18n", "../../internal/handlers"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			texts += checkTexts(t, path)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if texts < 100 {
		t.Errorf("only %d texts were found: this test does not see them any more", texts)
	}
}

// checkTexts checks the texts of one file and returns how many it saw. Templates
// are read through the Go files that are generated from them.
func checkTexts(t *testing.T, path string) int {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	check := func(at ast.Node, exprs []ast.Expr) {
		if len(exprs) < 2 {
			return
		}
		zh, okZH := literal(exprs[0])
		en, okEN := literal(exprs[1])
		if !okZH || !okEN {
			return
		}
		seen++
		if f := fault(i18n.Text{ZH: zh, EN: en}); f != "" {
			t.Errorf("%s: %s: %q, %q", files.Position(at.Pos()), f, zh, en)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if chooses(n.Fun) {
				check(n, n.Args)
			}
		case *ast.CompositeLit:
			if isText(n.Type) {
				check(n, values(n))
			}
			if m, ok := n.Type.(*ast.MapType); ok && isText(m.Value) {
				for _, e := range n.Elts {
					if kv, ok := e.(*ast.KeyValueExpr); ok {
						if c, ok := kv.Value.(*ast.CompositeLit); ok && c.Type == nil {
							check(c, values(c))
						}
					}
				}
			}
		}
		return true
	})
	return seen
}

// chooses reports whether a call is one of T and F, or a short name for one.
func chooses(f ast.Expr) bool {
	switch f := f.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name == "T" || f.Sel.Name == "F"
	case *ast.Ident:
		return f.Name == "t" || f.Name == "f"
	}
	return false
}

func isText(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		return e.Sel.Name == "Text"
	case *ast.Ident:
		return e.Name == "Text"
	}
	return false
}

// values are the values of a Text literal, with field names or without.
func values(c *ast.CompositeLit) []ast.Expr {
	out := make([]ast.Expr, 2)
	for i, e := range c.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if k, ok := kv.Key.(*ast.Ident); ok && k.Name == "EN" {
				out[1] = kv.Value
			} else {
				out[0] = kv.Value
			}
		} else if i < len(out) {
			out[i] = e
		}
	}
	return out
}

// literal is the value of a string literal, also of one in several parts.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.ParenExpr:
		return literal(e.X)
	case *ast.BinaryExpr:
		a, okA := literal(e.X)
		b, okB := literal(e.Y)
		return a + b, okA && okB && e.Op == token.ADD
	}
	return "", false
}
