package archtest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// styleLines is how long a style sheet may be: a file holds a component.
const styleLines = 250

// styleLayers are those that web/static puts in order.
var styleLayers = []string{"reset", "tokens", "base", "layout", "components", "utilities", "print"}

var (
	styleComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	stylePrelude = regexp.MustCompile(`[^{};]+\{`)
	styleClass   = regexp.MustCompile(`\.([a-zA-Z][\w-]*)`)
	styleData    = regexp.MustCompile(`\[(data-[\w-]+)`)
	styleToken   = regexp.MustCompile(`(?:^|[\s{;])(--[\w-]+)\s*:`)
	styleVar     = regexp.MustCompile(`var\(\s*(--[\w-]+)`)

	textLiteral  = regexp.MustCompile("\"((?:[^\"\\\\\\n]|\\\\.)*)\"|`([^`]*)`")
	classLiteral = regexp.MustCompile(`^\s*[a-z][\w-]*(\s+[a-z][\w-]*)*\s*$`)
)

// named are the words that classes and attributes are looked for in.
type named struct {
	words map[string]bool // of the literals that are nothing but words, such as "tag tag--flag"
	text  string
}

func namesIn(sources []source) named {
	n := named{words: map[string]bool{}}
	var text strings.Builder
	for _, s := range sources {
		text.WriteString(s.text)
		for _, m := range textLiteral.FindAllStringSubmatch(s.text, -1) {
			if literal := m[1] + m[2]; classLiteral.MatchString(literal) {
				for w := range strings.FieldsSeq(literal) {
					n.words[w] = true
				}
			}
		}
	}
	n.text = text.String()
	return n
}

// class reports whether a class is named, as a whole or, like "notice--" + kind, in two
// parts.
func (n named) class(c string) bool {
	if n.words[c] {
		return true
	}
	i := strings.LastIndex(c, "--")
	return i > 0 && n.words[c[:i+2]] && n.words[c[i+2:]]
}

// data reports whether an attribute is written, or set by a script as an element's
// dataset.
func (n named) data(attribute string) bool {
	var field strings.Builder
	for i, w := range strings.Split(strings.TrimPrefix(attribute, "data-"), "-") {
		if i > 0 {
			w = strings.ToUpper(w[:1]) + w[1:]
		}
		field.WriteString(w)
	}
	return strings.Contains(n.text, attribute) || strings.Contains(n.text, "dataset."+field.String())
}

// selectorFaults finds classes and data attributes that no page has.
func selectorFaults(n named) func(source) []string {
	return func(s source) []string {
		var faults []string
		for _, prelude := range stylePrelude.FindAllString(styleComment.ReplaceAllString(s.text, ""), -1) {
			if strings.HasPrefix(strings.TrimSpace(prelude), "@") {
				continue
			}
			for _, m := range styleClass.FindAllStringSubmatch(prelude, -1) {
				if !n.class(m[1]) {
					faults = append(faults, fmt.Sprintf("%s: no page has the class %s", s.path, m[1]))
				}
			}
			for _, m := range styleData.FindAllStringSubmatch(prelude, -1) {
				if !n.data(m[1]) {
					faults = append(faults, fmt.Sprintf("%s: no page has the attribute %s", s.path, m[1]))
				}
			}
		}
		return faults
	}
}

// tokenFaults finds tokens that are defined and not used, or used and not defined.
func tokenFaults(sheets []source) []string {
	defined, used := map[string]bool{}, map[string]bool{}
	for _, s := range sheets {
		text := styleComment.ReplaceAllString(s.text, "")
		for _, m := range styleToken.FindAllStringSubmatch(text, -1) {
			defined[m[1]] = true
		}
		for _, m := range styleVar.FindAllStringSubmatch(text, -1) {
			used[m[1]] = true
		}
	}
	for _, m := range slices.Collect(maps.Keys(defined)) {
		if used[m] {
			delete(defined, m)
			delete(used, m)
		}
	}
	var faults []string
	for m := range defined {
		faults = append(faults, "no rule uses the token "+m)
	}
	for m := range used {
		faults = append(faults, "the token "+m+" is not defined")
	}
	return faults
}

// shapeFaults finds a style sheet that is too long, and rules outside of the layers,
// which would be stronger than all of them.
func shapeFaults(s source) []string {
	var faults []string
	if n := strings.Count(s.text, "\n"); n > styleLines {
		faults = append(faults, fmt.Sprintf("%s: %d lines, at most %d", s.path, n, styleLines))
	}
	text, depth, start := styleComment.ReplaceAllString(s.text, ""), 0, 0
	for i, r := range text {
		switch r {
		case '{':
			if depth == 0 {
				layer, ok := strings.CutPrefix(strings.TrimSpace(text[start:i]), "@layer ")
				if !ok || !slices.Contains(styleLayers, layer) {
					faults = append(faults, fmt.Sprintf("%s: %q is outside of the layers", s.path, strings.TrimSpace(text[start:i])))
				}
			}
			depth++
		case '}':
			depth--
			start = i + 1
		}
	}
	if depth != 0 || strings.TrimSpace(text[start:]) != "" {
		faults = append(faults, s.path+": the braces do not match")
	}
	return faults
}

func sheets(t *testing.T) []source {
	t.Helper()
	return slices.DeleteFunc(tree(t, ".css"), func(s source) bool { return !under(s.path, "web/static/css") })
}

func TestStyles_AreUsed(t *testing.T) {
	t.Parallel()
	pages := slices.DeleteFunc(tree(t, ".templ", ".go", ".js"), func(s source) bool {
		return !under(s.path, "web/templates", "web/static/js") || strings.HasSuffix(s.path, "_templ.go") || s.isTest()
	})
	rule := selectorFaults(namesIn(pages))
	var faults []string
	for _, s := range sheets(t) {
		faults = append(faults, rule(s)...)
	}
	report(t, append(faults, tokenFaults(sheets(t))...))
}

func TestStyles_RuleFindsWhatIsNotUsed(t *testing.T) {
	t.Parallel()
	rule := selectorFaults(namesIn([]source{
		{"a.templ", `<p class="tag tag--flag" data-live-lost title="Look for the plot here.">{ templ.KV("on", x) }</p>` + "`wide`"},
		{"a.go", `package x; const good = "good"; var class = "notice--" + good; // diff__row "diff__row--" `},
		{"a.js", `document.documentElement.dataset.keysOff = "1";`},
	}))
	const p = "web/static/css/a.css"
	finds(t, rule, []example{
		{p, "/* .gone */ .tag, .tag--flag > .on:not(.wide)::before { margin: .5rem; } @media (max-width: 48.01rem) { [data-live-lost][hidden] {} }", ""},
		{p, ".notice--good {} html[data-keys-off] {}", ""},
		{p, ".tag .gone {}", "class gone"},
		{p, "@media print { .tag,\n.tag--none { } }", "class tag--none"},
		{p, ".notice--bad {}", "class notice--bad"},
		{p, ".diff__row--same {}", "class diff__row--same"},
		{p, ".plot {}", "class plot"},
		{p, ".tag:not(.gone) {}", "class gone"},
		{p, ".tag[data-gone] {}", "attribute data-gone"},
	})
	finds(t, func(s source) []string { return tokenFaults([]source{{p, ":root { --a: 1; }"}, s}) }, []example{
		{p, ".tag--flag:hover { margin: calc(2 * var( --a, 0)); } /* var(--b) --c: 1 */", ""},
		{p, ".tag { --b: var(--a); }", "uses the token --b"},
		{p, ".tag { margin: 1px; }", "uses the token --a"},
		{p, ".tag { margin: var(--a) var(--b); }", "token --b is not defined"},
	})
}

func TestStyles_HaveAFileAComponentAndALayerARule(t *testing.T) {
	t.Parallel()
	each(t, shapeFaults, func(s source) bool { return under(s.path, "web/static/css") }, ".css")
}

func TestStyles_RuleFindsShapes(t *testing.T) {
	t.Parallel()
	const p = "web/static/css/a.css"
	finds(t, shapeFaults, []example{
		{p, "/* a */\n@layer base {\n@media print { a { color: red; } }\n}\n\n@layer print { @page { margin: 0; } }\n", ""},
		{p, "@layer base {" + strings.Repeat("\n", styleLines) + "}", ""},
		{p, "@layer base {" + strings.Repeat("\n", styleLines+1) + "}", "251 lines"},
		{p, "@layer other { a { color: red; } }", "outside"},
		{p, "@layer base { } a { color: red; }", "outside"},
		{p, "@media print { @layer print { } }", "outside"},
		{p, "@layer base { a { color: red; }", "braces"},
		{p, "@layer base { } }", "braces"},
	})
}
