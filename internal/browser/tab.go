package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// View is how a tab shows pages. The zero value of a field leaves the browser's
// default, except for the size: use Desktop or Phone as the start.
type View struct {
	Width, Height int // CSS pixels
	Touch         bool
	Dark          bool   // prefers-color-scheme: dark, otherwise light
	NoScript      bool   // JavaScript off
	Print         bool   // as it is printed
	Language      string // Accept-Language, such as "zh-CN" or "en"
}

// The two sizes that the design is checked at.
var (
	Desktop = View{Width: 1366, Height: 768}
	Phone   = View{Width: 390, Height: 844, Touch: true}
)

// Tab is one tab. Its methods end the test when a step does not work. It is for one
// goroutine.
type Tab struct {
	t    testing.TB
	ctx  context.Context
	view View

	mu       sync.Mutex
	kinds    map[network.RequestID]network.ResourceType
	problems []string
}

// Open opens a tab. When the test ends the tab is closed, and the test fails if the
// tab has problems that nobody took.
func (b *Browser) Open(v View) *Tab {
	b.t.Helper()
	tab := &Tab{t: b.t, view: v, kinds: map[network.RequestID]network.ResourceType{}}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithListener(tab.observe))
	tab.ctx = ctx
	b.t.Cleanup(func() {
		if b.t.Failed() {
			tab.keep("failed-" + b.t.Name())
		}
		cancel()
		for _, p := range tab.Problems() {
			b.t.Errorf("browser: %s", p)
		}
	})
	// Without a limit of time: it would be the tab's, not the step's.
	if err := chromedp.Do(ctx); err != nil {
		b.t.Fatalf("open a tab: %v", err)
	}
	scheme := "light"
	if v.Dark {
		scheme = "dark"
	}
	var size []chromedp.EmulateViewportOption
	if v.Touch {
		size = append(size, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	media := ""
	if v.Print {
		media = "print"
	}
	tab.step("set up the view", chromedp.EmulateViewport(int64(v.Width), int64(v.Height), size...), command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media:    media,
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}))
	if v.NoScript {
		tab.scripts(false)
	}
	if v.Language != "" {
		tab.step("set the language", command(emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{
			UserAgent: running.version, AcceptLanguage: v.Language,
		}))
	}
	return tab
}

func (tab *Tab) scripts(on bool) {
	tab.t.Helper()
	tab.step("turn JavaScript on or off", command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on}))
}

// command is a protocol command whose answer does not matter.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// observe collects what a page must not have. It runs on the tab's event goroutine.
func (tab *Tab) observe(ev any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	switch ev := ev.(type) {
	case *network.EventResponseReceived:
		tab.kinds[ev.RequestID] = ev.Type
	case *runtime.EventExceptionThrown:
		text := ev.ExceptionDetails.Text
		if e := ev.ExceptionDetails.Exception; e != nil {
			text += " " + e.Description
		}
		tab.problems = append(tab.problems, "exception: "+text)
	case *runtime.EventConsoleAPICalled:
		if ev.Type != "error" && ev.Type != "assert" {
			return
		}
		var text []string
		for _, a := range ev.Args {
			text = append(text, strings.Trim(string(a.Value), `"`)+a.Description)
		}
		tab.problems = append(tab.problems, "console: "+strings.Join(text, " "))
	case *log.EventEntryAdded:
		e := ev.Entry
		if e.Level != log.EntryLevelError {
			return
		}
		// A page or an answer of 4xx is what the test asked for; a file that does
		// not load is a fault.
		if e.Source == log.EntrySourceNetwork {
			switch tab.kinds[e.NetworkRequestID] {
			case network.ResourceTypeDocument, network.ResourceTypeXHR, network.ResourceTypeFetch:
				return
			}
		}
		tab.problems = append(tab.problems, fmt.Sprintf("%s: %s %s", e.Source, e.Text, e.URL))
	}
}

// Problems returns the console errors, uncaught exceptions, violations of the content
// security policy and files that did not load since it was last called. A test that
// expects some takes them, so that they do not fail it. Answers of 4xx and 5xx to
// pages and to requests of scripts are not among them; requests that got no answer
// at all are.
func (tab *Tab) Problems() []string {
	// The browser reports in order: after an answer nothing earlier is on its way.
	if tab.ctx.Err() == nil {
		_, _ = run(tab, chromedp.Evaluate[chromedp.Void]("0"))
	}
	tab.mu.Lock()
	defer tab.mu.Unlock()
	p := tab.problems
	tab.problems = nil
	return p
}

func run[T any](tab *Tab, a chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, a)
}

func (tab *Tab) step(what string, steps ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	if _, err := run(tab, chromedp.Steps(steps...)); err != nil {
		tab.t.Fatalf("%s: %v", what, err)
	}
}

// page runs steps that lead to another page, waits until it is there and returns its
// HTTP status.
func (tab *Tab) page(what string, steps ...chromedp.Action[chromedp.Void]) int {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	r, err := chromedp.RunResponse(ctx, steps...)
	if err != nil {
		tab.t.Fatalf("%s: %v", what, err)
	}
	if r == nil {
		return 0
	}
	return int(r.Status)
}

// Goto opens an address and returns the HTTP status of the page it led to.
func (tab *Tab) Goto(url string) int {
	tab.t.Helper()
	return tab.page("go to "+url, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		r, err := cdp.Call(ctx, t, page.Navigate, page.NavigateParams{URL: url})
		if err == nil && r.ErrorText != "" {
			err = errors.New(r.ErrorText)
		}
		return err
	}))
}

// Back goes back one page. It returns 0 when the page came from memory.
func (tab *Tab) Back() int {
	tab.t.Helper()
	back := chromedp.Evaluate[chromedp.Void]("history.back()")
	return tab.page("go back", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := back(ctx, t)
		if err != nil && strings.Contains(err.Error(), "navigated or closed") { // it went before it could answer
			return nil
		}
		return err
	}))
}

// Reload loads the page again, posting again what was posted.
func (tab *Tab) Reload() int {
	tab.t.Helper()
	return tab.page("reload", command(page.Reload, page.ReloadParams{}))
}

// Click clicks the middle of the first element that matches the CSS selector, after
// scrolling to it, and does not wait for what follows.
func (tab *Tab) Click(selector string) {
	tab.t.Helper()
	tab.step("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Follow clicks and waits for the page that the click leads to. It returns that
// page's HTTP status.
func (tab *Tab) Follow(selector string) int {
	tab.t.Helper()
	return tab.page("follow "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Focus puts the focus on an element.
func (tab *Tab) Focus(selector string) {
	tab.t.Helper()
	tab.step("focus "+selector, chromedp.Focus(chromedp.CSS(selector)))
}

// Fill replaces the text of a field by typing.
func (tab *Tab) Fill(selector, text string) {
	tab.t.Helper()
	tab.Focus(selector)
	tab.Eval("document.activeElement.select()")
	if text == "" {
		tab.Press("Delete")
		return
	}
	tab.Type(text)
}

// Select chooses an option of a list by its value, as a person would: with the
// events that follow.
func (tab *Tab) Select(selector, value string) {
	tab.t.Helper()
	q, v := quote(selector), quote(value)
	tab.Eval(fmt.Sprintf(`(() => { const s = document.querySelector(%s); s.value = %s;
		s.dispatchEvent(new Event("input", {bubbles: true})); s.dispatchEvent(new Event("change", {bubbles: true})); })()`, q, v))
}

// Type types text where the focus is.
func (tab *Tab) Type(text string) {
	tab.t.Helper()
	tab.step("type "+text, keyDown(text))
}

// named are the keys that Press knows besides single characters.
var named = map[string]string{
	"Enter": kb.Enter, "Tab": kb.Tab, "Escape": kb.Escape, "Delete": kb.Delete, "Backspace": kb.Backspace,
	"ArrowDown": kb.ArrowDown, "ArrowUp": kb.ArrowUp, "Home": kb.Home, "End": kb.End, "Space": " ",
}

// Press presses a key where the focus is: "j", "?", "Enter", "Ctrl+Enter",
// "Shift+Tab". It does not wait for what follows.
func (tab *Tab) Press(key string) {
	tab.t.Helper()
	tab.step("press "+key, tab.keys(key))
}

// PressAndFollow presses a key and waits for the page that it leads to. It returns
// that page's HTTP status.
func (tab *Tab) PressAndFollow(key string) int {
	tab.t.Helper()
	return tab.page("press "+key, tab.keys(key))
}

func (tab *Tab) keys(key string) chromedp.Action[chromedp.Void] {
	tab.t.Helper()
	var mods []chromedp.Modifier
	for {
		m, rest, ok := strings.Cut(key, "+")
		if !ok || rest == "" {
			break
		}
		switch m {
		case "Ctrl":
			mods = append(mods, chromedp.ModifierCtrl)
		case "Shift":
			mods = append(mods, chromedp.ModifierShift)
		case "Alt":
			mods = append(mods, chromedp.ModifierAlt)
		default:
			tab.t.Fatalf("no such modifier: %s", m)
		}
		key = rest
	}
	if code, ok := named[key]; ok {
		key = code
	}
	return keyDown(key, mods...)
}

// keyDown presses the keys of a text. A key and the character that it types are one
// event, as on a keyboard: a page that handles the key keeps the character out of
// its fields.
func keyDown(text string, mods ...chromedp.Modifier) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, r := range text {
			events := kb.Encode(r)
			typed := ""
			for _, e := range events {
				if e.Type == kb.KeyChar {
					typed = e.Text
				}
			}
			for _, e := range events {
				for _, m := range mods {
					e.Modifiers |= int64(m)
				}
				switch {
				case e.Type == kb.KeyChar && len(events) > 1:
					continue
				case e.Type == kb.KeyDown && typed != "" && e.Modifiers&^int64(chromedp.ModifierShift) == 0:
					e.Text = typed
				}
				if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, *e); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// quote is a text as a literal of JavaScript.
func quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always encodes
	}
	return string(b)
}

// Eval runs an expression in the page and does not look at its value. Expressions
// run with JavaScript off too.
func (tab *Tab) Eval(expression string) {
	tab.t.Helper()
	if _, err := run(tab, chromedp.Evaluate[chromedp.Void](expression)); err != nil {
		tab.t.Fatalf("run %s: %v", expression, err)
	}
}

// Value returns the value of an expression in the page, after its promise if it is
// one.
func Value[T any](tab *Tab, expression string) T {
	tab.t.Helper()
	v, err := run(tab, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		tab.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return v
}

// Wait waits until an expression is true in the page, across page loads.
func (tab *Tab) Wait(condition string) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	var last error
	for ctx.Err() == nil {
		// A page that is being replaced ends the poll with an error: ask the next one.
		_, err := chromedp.Run(ctx, chromedp.Poll[bool]("!!("+condition+")", chromedp.WithPollingTimeout(patience)))
		if err == nil {
			return
		}
		last = err
	}
	tab.t.Fatalf("wait for %s: %v; the page says: %s", condition, last, tab.Text("body"))
}

// WaitText waits until the text of an element contains the given one.
func (tab *Tab) WaitText(selector, text string) {
	tab.t.Helper()
	tab.Wait(fmt.Sprintf("[...document.querySelectorAll(%s)].some((e) => e.textContent.includes(%s))", quote(selector), quote(text)))
}

// Text returns the visible text of the first element that matches, with white space
// folded, or an empty string when there is none.
func (tab *Tab) Text(selector string) string {
	tab.t.Helper()
	return strings.Join(strings.Fields(Value[string](tab, fmt.Sprintf("(document.querySelector(%s)?.innerText ?? '')", quote(selector)))), " ")
}

// Has reports whether an element matches.
func (tab *Tab) Has(selector string) bool {
	tab.t.Helper()
	return Value[bool](tab, fmt.Sprintf("document.querySelector(%s) !== null", quote(selector)))
}

// Field returns what a field holds.
func (tab *Tab) Field(selector string) string {
	tab.t.Helper()
	return Value[string](tab, fmt.Sprintf("document.querySelector(%s).value", quote(selector)))
}

// Focused describes what has the focus: its id, name, value and text, whichever it
// has first; empty when nothing has it.
func (tab *Tab) Focused() string {
	tab.t.Helper()
	return Value[string](tab, `(() => { const e = document.activeElement;
		return !e || e === document.body ? "" : e.id || (e.name === "do" ? e.value : e.name) || e.textContent.trim(); })()`)
}

// Title and URL are the page's.
func (tab *Tab) Title() string { tab.t.Helper(); return Value[string](tab, "document.title") }

// URL is the address of the page.
func (tab *Tab) URL() string { tab.t.Helper(); return Value[string](tab, "location.href") }

// ScrollsSideways reports whether the page is wider than the window.
func (tab *Tab) ScrollsSideways() bool {
	tab.t.Helper()
	return Value[bool](tab, "document.documentElement.scrollWidth > document.documentElement.clientWidth")
}

// Screenshot keeps a picture of the whole page as NAME.png in the folder that
// SCREENSHOTS names; without it nothing is done.
func (tab *Tab) Screenshot(name string) {
	tab.t.Helper()
	if err := tab.keep(name); err != nil {
		tab.t.Fatalf("screenshot %s: %v", name, err)
	}
}

func (tab *Tab) keep(name string) error {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" || tab.ctx.Err() != nil {
		return nil
	}
	picture, err := run(tab, chromedp.FullScreenshot(100))
	if err != nil {
		return fmt.Errorf("take a picture: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of screenshots: %w", err)
	}
	file := filepath.Join(dir, strings.NewReplacer("/", "-", " ", "-").Replace(name)+".png")
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

// Offline cuts the tab off from the network, or lets it back.
func (tab *Tab) Offline(on bool) {
	tab.t.Helper()
	var rules []*network.Conditions
	if on {
		rules = append(rules, &network.Conditions{Offline: true, DownloadThroughput: -1, UploadThroughput: -1})
	}
	tab.step("go offline or back", command(network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: rules}))
}
