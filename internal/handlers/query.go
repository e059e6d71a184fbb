package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"correction-console/web/templates/pages"
)

// parameter is what a route takes in its query.
type parameter struct {
	name string
	many bool              // may be there more than once
	good func(string) bool // nil: the page judges the value itself and says what is wrong
}

func anything(names ...string) []parameter {
	var out []parameter
	for _, name := range names {
		out = append(out, parameter{name: name})
	}
	return out
}

// numbers are parameters that the console's own links fill in.
func numbers(names ...string) []parameter {
	var out []parameter
	for _, name := range names {
		out = append(out, parameter{name: name, good: isNumber})
	}
	return out
}

func isNumber(text string) bool {
	return len(text) <= 18 && strings.Trim(text, "0123456789") == ""
}

// logQuery is what the change log and its exports take. The columns are a list of
// checkboxes.
var logQuery = slices.Concat(anything(logParameters...), anything("sort", "rows"), []parameter{{name: "columns", many: true}},
	numbers("before", "after", "edge"), anything("more", "save", "bom", "token"))

// queries are the parameters of the GET routes. A route that is not named takes none.
var queries = map[string][]parameter{
	"/login":  anything("next", "lang"),
	"/orders": anything("out_order_no", "sub_mchid", "service_id"),
	"/orders/:sub_mchid/:out_order_no/correction": numbers("from"),

	"/corrections":       logQuery,
	"/corrections.csv":   logQuery,
	"/corrections.xlsx":  logQuery,
	"/corrections.jsonl": logQuery,
	"/corrections/:id":   anything("checked"),

	"/review": slices.Concat(anything("tab", "day"), numbers("before", "signed"),
		[]parameter{{name: "skipped", good: func(text string) bool { return strings.Trim(text, "0123456789.") == "" }}}),
	pages.ApprovalsURL: slices.Concat(numbers("id"), anything("checked")),
	pages.InsightsURL:  anything("from", "to"),
	insightsCSVPath:    anything("from", "to"),

	"/settings/merchants": anything("edit", "add"),
	"/settings/services":  anything("edit", "add"),
}

// machinePaths are asked by programs, which may put what they like behind the question
// mark: the answer never depends on it.
var machinePaths = []string{"/healthz", "/readyz", metricsPath}

// queryError is a query that does not say what its page is to show. Go drops what it
// cannot read, and a filter without conditions means everything: so it is refused.
type queryError struct {
	Name    string // of the parameter; empty when the query as a whole cannot be read
	Problem pages.QueryProblem
}

func (e *queryError) Error() string { return fmt.Sprintf("query: %s %q", e.Problem, e.Name) }

// readQuery reads a query by the parameters that a route takes.
func readQuery(raw string, takes []parameter) (url.Values, error) {
	v, err := url.ParseQuery(raw)
	if err != nil || !utf8.ValidString(raw) {
		return nil, &queryError{Problem: pages.QueryUnreadable}
	}
	for _, name := range sortedKeys(v) {
		at := slices.IndexFunc(takes, func(p parameter) bool { return p.name == name })
		if at < 0 {
			return nil, &queryError{name, pages.QueryUnknown}
		}
		p := takes[at]
		if len(v[name]) > 1 && !p.many {
			return nil, &queryError{name, pages.QueryTwice}
		}
		for _, text := range v[name] {
			if !utf8.ValidString(text) || p.good != nil && !p.good(text) {
				return nil, &queryError{name, pages.QueryValue}
			}
		}
	}
	return v, nil
}

// tellsItself is the page that shows an unknown or repeated condition at its place among
// the others, and lists nothing.
const tellsItself = pages.LogURL

// asks refuses a GET whose query is not one that the route takes.
func asks(path string) echo.MiddlewareFunc {
	takes := queries[path]
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			if r.Method != http.MethodGet && r.Method != http.MethodHead || slices.Contains(machinePaths, path) {
				return next(c) // the query of a post is refused where its form is read
			}
			_, err := readQuery(r.URL.RawQuery, takes)
			var refused *queryError
			if errors.As(err, &refused) && path == tellsItself && (refused.Problem == pages.QueryUnknown || refused.Problem == pages.QueryTwice) {
				return next(c)
			}
			if err != nil {
				return err
			}
			return next(c)
		}
	}
}
