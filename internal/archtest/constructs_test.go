package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

// ban is a construct that is not used, with the reason.
type ban struct {
	pattern *regexp.Regexp
	reason  string
}

// templBans keep templates to what escapes by itself and to the content security
// policy, which allows no inline script and no inline style.
var templBans = []ban{
	{regexp.MustCompile(`templ\.Raw\b`), "writes without escaping"},
	{regexp.MustCompile(`templ\.(SafeURL|SafeCSS|SafeCSSProperty|SafeScript|SafeScriptInline)\b`), "skips the check of templ"},
	{regexp.MustCompile(`templ\.(JSUnsafeFuncCall|JSFuncCall|JSExpression|ToJSON|JSONString|JSONScript|OnceHandle)\b|\bJSUnsafeFuncCall\b|\bJSExpression\b`), "makes inline script"},
	{regexp.MustCompile(`(?m)^\s*script\s+\w+\s*\(`), "makes inline script"},
	{regexp.MustCompile(`(?m)^\s*css\s+\w+\s*\(`), "makes an inline style"},
	{regexp.MustCompile(`(?i)\sstyle\s*=`), "is an inline style, which the policy blocks"},
	{regexp.MustCompile(`(?i)<style\b`), "is an inline style, which the policy blocks"},
	{regexp.MustCompile(`(?i)[\s"'}]on[a-z]+\s*=\s*["'{]`), "is an inline handler, which the policy blocks"},
	{regexp.MustCompile(`(?i)javascript:`), "is inline script"},
	{regexp.MustCompile(`(?i)<(iframe|object|embed|base)\b`), "is blocked by the policy"},
}

// scriptTag finds script elements; only those with src are loaded.
var scriptTag = regexp.MustCompile(`(?is)<script\b[^>]*>`)

func templFaults(s source) []string {
	faults := banned(s, templBans)
	for _, tag := range scriptTag.FindAllString(s.text, -1) {
		if !strings.Contains(tag, "src=") {
			faults = append(faults, s.path+": "+tag+" is inline script, which the policy blocks")
		}
	}
	return faults
}

// scriptBans keep scripts away from everything that reads text as HTML or as code,
// which Trusted Types forbid, and from storing anything in the browser.
var scriptBans = []ban{
	{regexp.MustCompile(`\b(innerHTML|outerHTML|insertAdjacentHTML|setHTMLUnsafe|parseHTMLUnsafe|srcdoc|createContextualFragment|DOMParser)\b`), "reads text as HTML"},
	{regexp.MustCompile(`\bdocument\.write|\beval\s*\(|\bnew\s+Function\b|\bset(Timeout|Interval)\s*\(\s*["'` + "`" + `]`), "reads text as code"},
	{regexp.MustCompile(`\b(localStorage|sessionStorage|indexedDB)\b|\bdocument\.cookie\b`), "keeps data in the browser"},
	{regexp.MustCompile(`\bimport\s*\(|from\s+["']https?:|["']https?://`), "reaches beyond the console's own files"},
}

func scriptFaults(s source) []string { return banned(s, scriptBans) }

// notes of unfinished work, put together so that this file does not hold them.
var notes = []ban{{regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX)\b`), "is a note of unfinished work"}}

func noteFaults(s source) []string { return banned(s, notes) }

// realColumns finds column types of SQLite that hold floating-point numbers.
var realColumns = []ban{{regexp.MustCompile(`(?i)\b(real|float|double|numeric|decimal)\b`), "is a floating-point column"}}

func schemaFaults(s source) []string {
	lines := strings.Split(s.text, "\n")
	for i, l := range lines {
		lines[i], _, _ = strings.Cut(l, "--")
	}
	return banned(source{s.path, strings.Join(lines, "\n")}, realColumns)
}

func banned(s source, bans []ban) []string {
	var faults []string
	for _, b := range bans {
		for _, at := range b.pattern.FindAllStringIndex(s.text, -1) {
			line := 1 + strings.Count(s.text[:at[0]], "\n")
			faults = append(faults, fmt.Sprintf("%s:%d: %s %s", s.path, line, strings.TrimSpace(s.text[at[0]:at[1]]), b.reason))
		}
	}
	return faults
}

// floatNames are what makes or takes a floating-point number.
var floatNames = map[string]bool{
	"float32": true, "float64": true, "complex64": true, "complex128": true,
	"ParseFloat": true, "FormatFloat": true, "AppendFloat": true, "Float64": true, "Float32": true, "NullFloat64": true,
}

// floatFaults finds floating-point types, literals and conversions in a Go file.
func floatFaults(s source) []string {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, s.path, s.text, parser.SkipObjectResolution)
	if err != nil {
		return []string{err.Error()}
	}
	var faults []string
	ast.Inspect(file, func(n ast.Node) bool {
		text := ""
		switch n := n.(type) {
		case *ast.Ident:
			if floatNames[n.Name] {
				text = n.Name
			}
		case *ast.BasicLit:
			if n.Kind == token.FLOAT || n.Kind == token.IMAG {
				text = n.Value
			}
		}
		if text != "" {
			faults = append(faults, fmt.Sprintf("%s: %s is floating-point: money is correction.Fen", set.Position(n.Pos()), text))
		}
		return true
	})
	return faults
}

// moneyFolders hold what money passes through.
var moneyFolders = []string{"internal/correction", "internal/store", "internal/wechat"}

func each(t *testing.T, rule func(source) []string, keep func(source) bool, endings ...string) {
	t.Helper()
	var faults []string
	for _, s := range tree(t, endings...) {
		if keep(s) {
			faults = append(faults, rule(s)...)
		}
	}
	report(t, faults)
}

func all(source) bool { return true }

func TestTemplates_UseNothingThatSkipsEscapingOrThePolicy(t *testing.T) {
	t.Parallel()
	each(t, templFaults, all, ".templ")
}

func TestTemplates_RuleFindsFaults(t *testing.T) {
	t.Parallel()
	const p = "web/templates/a.templ"
	finds(t, templFaults, []example{
		{p, `<p class="style" data-on="x">{ once(on) }</p><script type="module" src={ static.Path("a.js") }></script><a href={ u } if on { aria-current="page" }>a</a>`, ""},
		{p, "// A script submits this.\ntempl x() {\n\tscript\n}\n", ""},
		{p, "@templ.Raw(x)", "templ.Raw"},
		{p, "<a href={ templ.SafeURL(x) }>", "templ.SafeURL"},
		{p, "{ templ.SafeCSS(x) }", "templ.SafeCSS"},
		{p, "@templ.JSUnsafeFuncCall(x)", "JSUnsafeFuncCall"},
		{p, "onclick={ JSExpression(x) }", "JSExpression"},
		{p, "\nscript hello(name string) {\n", "script hello("},
		{p, "\ncss red() {\n", "css red("},
		{p, `<p style="color:red">`, "style="},
		{p, "<p\n\tstyle={ x }>", "style="},
		{p, "<style>", "<style"},
		{p, `<p onclick="x()">`, "onclick="},
		{p, `<p class="a"onload={ x }>`, "onload="},
		{p, `<a href="javascript:x()">`, "javascript:"},
		{p, `<script>x()</script>`, "inline script"},
		{p, `<iframe src="/x">`, "<iframe"},
	})
}

func TestScripts_TurnNoTextIntoCode(t *testing.T) {
	t.Parallel()
	each(t, scriptFaults, all, ".js")
}

func TestScripts_RuleFindsFaults(t *testing.T) {
	t.Parallel()
	const p = "web/static/js/a.js"
	finds(t, scriptFaults, []example{
		{p, `import { a } from "./a.js"; e.textContent = x; e.replaceChildren(y); setTimeout(f, 1);`, ""},
		{p, "e.innerHTML = x", "innerHTML"},
		{p, "new DOMParser()", "DOMParser"},
		{p, "e.insertAdjacentHTML(x)", "insertAdjacentHTML"},
		{p, "eval(x)", "eval("},
		{p, "setTimeout('x()', 1)", "setTimeout"},
		{p, "new Function(x)", "new Function"},
		{p, "localStorage.x = 1", "localStorage"},
		{p, `import("./a.js")`, "import("},
		{p, `fetch("https://example.org")`, "https://"},
	})
}

func TestMoney_IsNeverFloatingPoint(t *testing.T) {
	t.Parallel()
	// Benchmarks of these packages report times and ratios.
	each(t, floatFaults, func(s source) bool {
		return under(s.path, moneyFolders...) && !strings.HasSuffix(s.path, "_bench_test.go")
	}, ".go")
	each(t, schemaFaults, all, ".sql")
}

func TestMoney_RuleFindsFaults(t *testing.T) {
	t.Parallel()
	const p = "internal/correction/a.go"
	finds(t, floatFaults, []example{
		{p, "package x\nconst a = 15 / 10\nvar s = \"1.5 float64\" // float64\n", ""},
		{p, "package x\nvar a float64\n", "float64"},
		{p, "package x\nfunc f(a []float32) {}\n", "float32"},
		{p, "package x\nvar a = 1.5\n", "1.5"},
		{p, "package x\nvar a = 1e2\n", "1e2"},
		{p, "package x\nvar a, _ = strconv.ParseFloat(s, 64)\n", "ParseFloat"},
		{p, "package x\nvar a sql.NullFloat64\n", "NullFloat64"},
	})
	finds(t, schemaFaults, []example{
		{"a.sql", "CREATE TABLE t (amount INTEGER NOT NULL) STRICT; -- not a real number", ""},
		{"a.sql", "CREATE TABLE t (amount REAL)", "REAL"},
		{"a.sql", "amount double precision", "double"},
	})
}

func TestSources_HoldNoUnfinishedNotes(t *testing.T) {
	t.Parallel()
	each(t, noteFaults, all, ".go", ".templ", ".js", ".css", ".sql", ".md", "scripts/test")
}

func TestSources_RuleFindsNotes(t *testing.T) {
	t.Parallel()
	finds(t, noteFaults, []example{
		{"a.go", "// to" + "do list; TO" + "DOS", ""},
		{"a.go", "// TO" + "DO: later", "unfinished"},
		{"a.js", "// FIX" + "ME", "unfinished"},
	})
}
