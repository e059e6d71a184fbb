package browser

import (
	"context"
	_ "embed" // axe-core
	"encoding/json"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axe-core 4.14.1, unchanged, with its licences in the same folder.
//
//go:embed axe/axe.min.js
var axeSource string

// axeTags choose the rules: WCAG 2.0 to 2.2, levels A and AA.
const axeTags = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]`

// Violation is a rule of axe-core that the page breaks.
type Violation struct {
	ID     string // the rule, such as "label"
	Help   string
	Impact string
	Nodes  []ViolationNode
}

// ViolationNode is one place where it does.
type ViolationNode struct {
	HTML    string
	Target  []any  // CSS selector, one part for each frame or shadow root
	Summary string `json:"failureSummary"`
}

func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %s", v.ID, v.Impact, v.Help)
	for _, n := range v.Nodes {
		fmt.Fprintf(&b, "\n\t%v %s\n\t\t%s", n.Target, n.HTML, strings.ReplaceAll(n.Summary, "\n", "\n\t\t"))
	}
	return b.String()
}

// Axe checks the page as it is now and returns what breaks WCAG 2.2 AA. axe-core
// comes in by the debugger's evaluation, in a world of its own: the page's content
// security policy stays in force and the page's scripts do not see it.
func (tab *Tab) Axe() []Violation {
	tab.t.Helper()
	if tab.view.NoScript {
		// axe-core waits on timers, which rest while JavaScript is off. The page's own
		// scripts were skipped when it was read and do not run now.
		tab.scripts(true)
		defer tab.scripts(false)
	}
	raw, err := run(tab, chromedp.Action[[]byte](func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		tree, err := cdp.Call(ctx, t, page.GetFrameTree, cdp.Empty{})
		if err != nil {
			return nil, fmt.Errorf("find the page's frame: %w", err)
		}
		world, err := cdp.Call(ctx, t, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: tree.FrameTree.Frame.ID, WorldName: "axe"})
		if err != nil {
			return nil, fmt.Errorf("make a world for axe-core: %w", err)
		}
		yes := true
		if _, err := evaluate(ctx, t, runtime.EvaluateParams{Expression: "if (!globalThis.axe) {" + axeSource + "}; 0", ContextID: world.ExecutionContextID}); err != nil {
			return nil, fmt.Errorf("load axe-core: %w", err)
		}
		return evaluate(ctx, t, runtime.EvaluateParams{
			Expression: `axe.run(document, {runOnly: {type: "tag", values: ` + axeTags + `}, resultTypes: ["violations"]})
				.then((r) => r.violations.map(({id, help, impact, nodes}) => ({id, help, impact,
					nodes: nodes.map(({html, target, failureSummary}) => ({html, target, failureSummary}))})))`,
			ContextID: world.ExecutionContextID, AwaitPromise: &yes, ReturnByValue: &yes,
		})
	}))
	if err != nil {
		tab.t.Fatalf("check with axe-core: %v", err)
	}
	var found []Violation
	if err := json.Unmarshal(raw, &found); err != nil {
		tab.t.Fatalf("read axe-core's result: %v", err)
	}
	return found
}

func evaluate(ctx context.Context, t *chromedp.Target, p runtime.EvaluateParams) ([]byte, error) {
	r, err := cdp.Call(ctx, t, runtime.Evaluate, p)
	if err != nil {
		return nil, err
	}
	if r.ExceptionDetails != nil {
		text := r.ExceptionDetails.Text
		if e := r.ExceptionDetails.Exception; e != nil {
			text += " " + e.Description
		}
		return nil, fmt.Errorf("exception: %s", text)
	}
	return r.Result.Value, nil
}

// NoViolations fails the test for each violation on the page as it is now.
func (tab *Tab) NoViolations() {
	tab.t.Helper()
	for _, v := range tab.Axe() {
		tab.t.Errorf("%s: %s", tab.URL(), v)
	}
}
