package browser_test

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"correction-console/internal/browser"
	"correction-console/web/static"
)

// editorSite mimics the server's side of the correction form: the same names, the
// same answers, under the same policy. Hold and release put an answer off.
type editorSite struct {
	url string

	mu       sync.Mutex
	previews []url.Values
	acts     []string
	posts    []string               // native posts and the rest, by path
	reviewed []url.Values           // the forms that went on to the review
	hold     map[string]chan string // amount → released by closing
	down     bool                   // answer nothing at all
	signed   bool                   // a session is there
}

func newEditorSite(t *testing.T) *editorSite {
	t.Helper()
	s := &editorSite{hold: map[string]chan string{}, signed: true}
	mux := http.NewServeMux()
	mux.Handle(static.Prefix, static.Handler)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /edit", func(w http.ResponseWriter, r *http.Request) {
		s.write(w, 200, editorPage(url.Values{"lines.0.amount": {"10.00"}, "lines.1.amount": {"20.00"}}, "", r.URL.Query().Get("lang")))
	})
	mux.HandleFunc("POST /preview", s.preview)
	mux.HandleFunc("POST /edit", s.edit)
	mux.HandleFunc("GET /review", func(w http.ResponseWriter, _ *http.Request) {
		s.write(w, 200, page("", `<h1>Review</h1><form method="post" action="/confirm" data-once><button hidden disabled></button>`+
			`<button id="send" data-busy="Sending…">Send <b>now</b></button></form>`, "once.js"))
	})
	mux.HandleFunc("POST /confirm", s.confirm)
	mux.HandleFunc("GET /list", func(w http.ResponseWriter, r *http.Request) {
		s.write(w, 200, page(r.URL.Query().Get("keys"), `<h1>List</h1><form action="/orders"><label>Find <input name="q" data-find></label></form>`+
			`<a href="/">Mine</a> <a href="/corrections">Log</a> <a href="/edit" data-key="e">Correct</a>`+
			`<table><tbody><tr><td><a id="r1" href="/review?1">1</a></td></tr><tr><td>none</td></tr><tr><td><a id="r2" href="/review?2">2</a></td></tr></tbody></table>`))
	})
	for _, p := range []string{"/{$}", "/corrections", "/login"} {
		mux.HandleFunc("GET "+p, func(w http.ResponseWriter, r *http.Request) {
			s.write(w, 200, page("", "<h1>"+r.URL.Path+"</h1>"))
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *editorSite) write(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func page(attributes, body string, scripts ...string) string {
	var b strings.Builder
	lang := "en"
	if attributes == "zh-CN" {
		lang, attributes = attributes, ""
	}
	if attributes == "off" {
		attributes = ` data-keys="off"`
	}
	fmt.Fprintf(&b, `<!doctype html><html lang="%s"%s><head><meta charset="utf-8"><title>Page</title>`, lang, attributes)
	for _, name := range append([]string{"keys.js"}, scripts...) {
		fmt.Fprintf(&b, `<script type="module" src="%s"></script>`, static.Path("js/"+name))
	}
	return b.String() + `</head><body><main>` + body + `</main></body></html>`
}

// rowNumbers are the numbers of the form's rows in order.
func rowNumbers(v url.Values) []int {
	var rows []int
	for name := range v {
		if rest, ok := strings.CutPrefix(name, "lines."); ok {
			number, _, _ := strings.Cut(rest, ".")
			n, _ := strconv.Atoi(number)
			rows = append(rows, n)
		}
	}
	slices.Sort(rows)
	return slices.Compact(rows)
}

func parts(v url.Values) string {
	var amounts []string
	for _, n := range rowNumbers(v) {
		amounts = append(amounts, v.Get(fmt.Sprintf("lines.%d.amount", n)))
	}
	text := html.EscapeString(strings.Join(amounts, "+"))
	return `<div id="summary" data-part="summary" aria-live="polite"><p>Sum of ` + text + `</p></div>` +
		`<div data-part="mine"><p id="mine-text">Echo ` + text + `</p></div>`
}

func editorPage(v url.Values, focus, lang string) string {
	var b strings.Builder
	b.WriteString(`<h1>Edit</h1>`)
	problem := strings.Contains(v.Get("lines.0.amount"), "x") && v.Get("do") == "recompute"
	if problem {
		b.WriteString(`<div id="problems" role="alert"><h2>1 problem</h2></div>`)
	}
	b.WriteString(`<form method="post" action="/edit" data-editor data-live="/preview"><button hidden name="do" value="recompute"></button>`)
	for _, n := range rowNumbers(v) {
		name := fmt.Sprintf("lines.%d.amount", n)
		mark := ""
		if name == focus {
			mark = " data-focus"
		}
		fmt.Fprintf(&b, `<p><label for="%[1]s">Row %[2]d</label><input id="%[1]s" name="%[1]s" value="%[3]s"%[4]s><button name="do" value="remove-lines-%[2]d">Remove</button></p>`,
			name, n, html.EscapeString(v.Get(name)), mark)
	}
	fmt.Fprintf(&b, `<label for="note">Note</label><textarea id="note" name="note">%s</textarea>`, html.EscapeString(v.Get("note")))
	b.WriteString(`<button name="do" value="add-line">Add</button><button name="do" value="odd">Odd</button><button name="do" value="discard">Discard</button><button id="main">Go on</button></form>`)
	// A part that somebody may be in.
	b.WriteString(strings.Replace(parts(v), `<p id="mine-text">`, `<button type="button" id="mine">Mine</button><p id="mine-text">`, 1))
	return page(lang, b.String(), "form.js")
}

func (s *editorSite) preview(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		panic(err)
	}
	amount := r.PostForm.Get("lines.0.amount")
	s.mu.Lock()
	s.previews = append(s.previews, r.PostForm)
	wait, down, signed := s.hold[amount], s.down, s.signed
	s.mu.Unlock()
	if down {
		panic(http.ErrAbortHandler)
	}
	if wait != nil {
		<-wait
	}
	if !signed {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	s.write(w, 200, "<!doctype html><title>x</title>"+parts(r.PostForm))
}

func (s *editorSite) edit(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		panic(err)
	}
	v := r.PostForm
	act := v.Get("do")
	s.mu.Lock()
	s.acts = append(s.acts, act)
	s.posts = append(s.posts, r.Header.Get("Sec-Fetch-Dest"))
	wait, down, signed := s.hold["act:"+act], s.down, s.signed
	s.mu.Unlock()
	if len(v["do"]) > 1 || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		s.write(w, 400, page("", "<h1>bad form</h1>"))
		return
	}
	if down {
		panic(http.ErrAbortHandler)
	}
	if wait != nil {
		<-wait
	}
	focus := ""
	switch verb, number, _ := strings.Cut(act, "-lines-"); {
	case !signed:
		s.write(w, 200, page("", `<h1>Sign in</h1><p id="kept">`+html.EscapeString(v.Encode())+`</p>`))
		return
	case act == "":
		s.mu.Lock()
		s.reviewed = append(s.reviewed, v)
		s.mu.Unlock()
		http.Redirect(w, r, "/review", http.StatusSeeOther)
		return
	case act == "discard":
		http.Redirect(w, r, "/corrections", http.StatusSeeOther)
		return
	case act == "odd":
		s.write(w, 409, page("", `<h1>Moved</h1><p id="kept">`+html.EscapeString(v.Get("lines.0.amount"))+`</p>`))
		return
	case act == "add-line":
		rows := rowNumbers(v)
		focus = fmt.Sprintf("lines.%d.amount", rows[len(rows)-1]+1)
		v.Set(focus, "")
	case verb == "remove":
		v.Del("lines." + number + ".amount")
	}
	status := 200
	if strings.Contains(v.Get("lines.0.amount"), "x") {
		status = 422
	}
	s.write(w, status, editorPage(v, focus, ""))
}

func (s *editorSite) confirm(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.posts = append(s.posts, r.URL.Path)
	s.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, "/corrections", http.StatusSeeOther)
}

// delay holds the answers for a key back until the returned function is called.
func (s *editorSite) delay(key string) func() {
	c := make(chan string)
	s.mu.Lock()
	s.hold[key] = c
	s.mu.Unlock()
	return sync.OnceFunc(func() {
		s.mu.Lock()
		delete(s.hold, key)
		s.mu.Unlock()
		close(c)
	})
}

func (s *editorSite) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *editorSite) seen() (previews []url.Values, acts, posts []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.previews), slices.Clone(s.acts), slices.Clone(s.posts)
}

func openEditor(t *testing.T) (*editorSite, *browser.Tab) {
	t.Helper()
	b := browser.Start(t)
	s := newEditorSite(t)
	tab := b.Open(browser.Desktop)
	if status := tab.Goto(s.url + "/edit"); status != 200 {
		t.Fatalf("status %d", status)
	}
	// Whether the page was loaded anew shows in this mark.
	tab.Eval("window.sameDocument = true; window.summaryNode = document.querySelector('#summary')")
	return s, tab
}

func inPlace(tab *browser.Tab) bool { return browser.Value[bool](tab, "window.sameDocument === true") }

const (
	amount0 = `[name="lines.0.amount"]`
	addLine = `button[value="add-line"]`
)

func TestForm_SummaryFollowsTypingAndFocusStays(t *testing.T) {
	t.Parallel()
	s, tab := openEditor(t)
	tab.Fill(amount0, "12.50")
	tab.WaitText("#summary", "Sum of 12.50+20.00")
	if got := tab.Focused(); got != "lines.0.amount" {
		t.Errorf("focus on %q", got)
	}
	if got := tab.Field(amount0); got != "12.50" {
		t.Errorf("field %q", got)
	}
	if !browser.Value[bool](tab, "window.summaryNode === document.querySelector('#summary') && window.summaryNode.ariaLive === 'polite'") {
		t.Error("the live region was exchanged, so a screen reader would not announce it")
	}
	if tab.Has("[data-stale]") {
		t.Error("parts are still marked as stale")
	}
	previews, acts, _ := s.seen()
	if len(acts) != 0 || len(previews) == 0 {
		t.Fatalf("previews %v, acts %v", previews, acts)
	}
	last := previews[len(previews)-1]
	if _, ok := last["do"]; ok || len(last) != 3 || last.Get("lines.0.amount") != "12.50" || last.Get("lines.1.amount") != "20.00" {
		t.Errorf("preview posted %v", last)
	}
	if len(previews) > 3 {
		t.Errorf("%d previews for one word: typing is not waited for", len(previews))
	}
}

func TestForm_MarksFiguresThatAreNotOfWhatIsTyped(t *testing.T) {
	t.Parallel()
	s, tab := openEditor(t)
	release := s.delay("13")
	defer release()
	tab.Fill(amount0, "13")
	if !tab.Has("#summary[data-stale]") {
		t.Error("the old sum stands beside the new amount without a mark")
	}
	release()
	tab.WaitText("#summary", "Sum of 13+20.00")
	if tab.Has("[data-stale]") {
		t.Error("mark stays after the answer")
	}
	// The session ends: the sum is not known, and what was typed stays.
	s.set(func() { s.signed = false })
	tab.Fill(amount0, "14")
	tab.Eval(`new PerformanceObserver((list) => { window.answered = true; }).observe({type: "resource"})`)
	tab.Type("0")
	tab.Wait("window.answered")
	if !tab.Has("#summary[data-stale]") || tab.Field(amount0) != "140" || !inPlace(tab) {
		t.Error("after a lost session the old sum passes for the new one, or the form is gone")
	}
}

func TestForm_DropsLateAnswers(t *testing.T) {
	t.Parallel()
	s, tab := openEditor(t)
	release := s.delay("11")
	defer release()
	tab.Fill(amount0, "11")
	for {
		if p, _, _ := s.seen(); len(p) > 0 && p[len(p)-1].Get("lines.0.amount") == "11" {
			break
		}
		tab.Eval("0")
	}
	tab.Fill(amount0, "22")
	tab.WaitText("#summary", "Sum of 22+20.00")
	tab.Eval(`window.shown = []; new MutationObserver(() => shown.push(document.querySelector("#summary").textContent))
		.observe(document.body, {subtree: true, childList: true, characterData: true})`)
	release()
	// One more round trip gives the late answer its chance.
	tab.Fill(amount0, "33")
	tab.WaitText("#summary", "Sum of 33+20.00")
	if got := browser.Value[[]string](tab, "shown"); slices.Contains(got, "Sum of 11+20.00") {
		t.Errorf("summary went over %q", got)
	}
}

func TestForm_LeavesThePartThatSomebodyIsIn(t *testing.T) {
	t.Parallel()
	_, tab := openEditor(t)
	tab.Focus("#mine")
	tab.Eval(`{ const f = document.querySelector('[name="note"]'); f.value = "n"; f.dispatchEvent(new Event("input", {bubbles: true})); }`)
	tab.Wait("document.querySelector('#summary').dataset.stale === undefined")
	if tab.Focused() != "mine" {
		t.Errorf("focus on %q", tab.Focused())
	}
	tab.Focus(amount0)
	tab.Eval("0")
	if !tab.Has("#mine") {
		t.Error("part was replaced while the focus was in it")
	}
}

func TestForm_AddsAndRemovesRowsInPlace(t *testing.T) {
	t.Parallel()
	s, tab := openEditor(t)
	tab.Fill(amount0, "12.50")
	tab.Fill(`[name="note"]`, "two\nlines")
	tab.Click(addLine)
	tab.Wait(`document.activeElement.name === "lines.2.amount"`)
	if !inPlace(tab) || tab.Field(amount0) != "12.50" || tab.Field(`[name="note"]`) != "two\nlines" {
		t.Errorf("in place %v, amount %q, note %q", inPlace(tab), tab.Field(amount0), tab.Field(`[name="note"]`))
	}
	if got := tab.Text("#summary"); got != "Sum of 12.50+20.00+" {
		t.Errorf("the summary outside the form says %q", got)
	}
	tab.Type("7")
	tab.WaitText("#summary", "Sum of 12.50+20.00+7") // the new form is live too
	tab.Click(`button[value="remove-lines-1"]`)
	tab.Wait(`!document.querySelector('[name="lines.1.amount"]')`)
	if got := tab.Focused(); got != "remove-lines-2" {
		t.Errorf("focus on %q, want the button that took the place", got)
	}
	if !inPlace(tab) || tab.Field(`[name="lines.2.amount"]`) != "7" {
		t.Error("what was typed into the added row is gone")
	}
	_, acts, posts := s.seen()
	if !slices.Equal(acts, []string{"add-line", "remove-lines-1"}) || !slices.Equal(posts, []string{"empty", "empty"}) {
		t.Errorf("acts %v by %v", acts, posts)
	}
}

func TestForm_EnterRecomputesAndShowsProblems(t *testing.T) {
	t.Parallel()
	_, tab := openEditor(t)
	tab.Fill(amount0, "x")
	tab.Press("Enter")
	tab.Wait("document.querySelector('#problems')")
	if !inPlace(tab) || tab.Focused() != "lines.0.amount" || tab.Field(amount0) != "x" {
		t.Errorf("in place %v, focus %q, field %q", inPlace(tab), tab.Focused(), tab.Field(amount0))
	}
	tab.Fill(amount0, "1")
	tab.Press("Enter")
	tab.Wait("!document.querySelector('#problems')")
}

func TestForm_KeepsWhatIsTypedWhileAnAnswerIsOnItsWay(t *testing.T) {
	t.Parallel()
	s, tab := openEditor(t)
	release := s.delay("act:add-line")
	defer release()
	tab.Click(addLine)
	tab.Click(addLine) // the second press waits for the first
	tab.Fill(amount0, "99")
	tab.Press("Home")
	release()
	tab.Wait(`document.querySelector('[name="lines.3.amount"]')`)
	if got := tab.Field(amount0); got != "99" {
		t.Errorf("field %q, want what was typed meanwhile", got)
	}
	tab.WaitText("#summary", "Sum of 99+20.00++")
	if _, acts, _ := s.seen(); len(acts) != 2 {
		t.Errorf("acts %v", acts)
	}
}

func TestForm_TypingElsewhereKeepsTheFocus(t *testing.T) {
	t.Parallel()
	s, tab := openEditor(t)
	release := s.delay("act:add-line")
	defer release()
	tab.Click(addLine)
	tab.Fill(`[name="lines.1.amount"]`, "55")
	release()
	tab.Wait(`document.querySelector('[name="lines.2.amount"]')`)
	if got := tab.Focused(); got != "lines.1.amount" {
		t.Errorf("focus on %q", got)
	}
	tab.Type("5")
	if got := tab.Field(`[name="lines.1.amount"]`); got != "555" {
		t.Errorf("field %q: the text cursor moved", got)
	}
}

func TestForm_LetsTheServerAnswerWithAPageOfItsOwn(t *testing.T) {
	t.Parallel()
	s, tab := openEditor(t)
	tab.Fill(amount0, "12.50")
	if status := tab.Follow(`button[value="odd"]`); status != 409 {
		t.Errorf("status %d", status)
	}
	if got := tab.Text("#kept"); got != "12.50" {
		t.Errorf("page kept %q", got)
	}
	tab.Goto(s.url + "/edit")
	tab.Fill(amount0, "13.50")
	s.set(func() { s.signed = false })
	tab.Follow(addLine)
	if got := tab.Text("#kept"); !strings.Contains(got, "lines.0.amount=13.50") || !strings.Contains(got, "do=add-line") {
		t.Errorf("sign-in page kept %q", got)
	}
	s.set(func() { s.signed = true })
	tab.Goto(s.url + "/edit")
	tab.Follow(`button[value="discard"]`)
	if got := tab.Text("h1"); got != "/corrections" {
		t.Errorf("discard led to %q", got)
	}
	if _, acts, posts := s.seen(); !slices.Equal(acts, []string{"odd", "odd", "add-line", "add-line", "discard"}) || posts[4] != "document" {
		t.Errorf("acts %v by %v", acts, posts)
	}
}

func TestForm_StaysWhenTheServerCannotBeReached(t *testing.T) {
	t.Parallel()
	s, tab := openEditor(t)
	tab.Fill(amount0, "12.50")
	tab.WaitText("#summary", "12.50")
	s.set(func() { s.down = true })
	tab.Click(addLine)
	tab.Wait("document.querySelector('[data-unreachable][role=alert]')")
	if !inPlace(tab) || tab.Field(amount0) != "12.50" || !strings.Contains(tab.Text("[data-unreachable]"), "still here") {
		t.Errorf("in place %v, field %q", inPlace(tab), tab.Field(amount0))
	}
	if p := tab.Problems(); len(p) == 0 {
		t.Error("the browser did not notice that nothing answered")
	}
	s.set(func() { s.down = false })
	tab.Click(addLine)
	tab.Wait(`document.querySelector('[name="lines.2.amount"]')`)
	if tab.Has("[data-unreachable]") || tab.Field(amount0) != "12.50" {
		t.Error("the message stays, or what was typed is gone")
	}
}

func TestForm_MainButtonIsAPageLoad(t *testing.T) {
	t.Parallel()
	s, tab := openEditor(t)
	tab.Focus(amount0)
	tab.PressAndFollow("Ctrl+Enter")
	if got := tab.Text("h1"); got != "Review" {
		t.Errorf("Ctrl+Enter led to %q", got)
	}
	if _, acts, posts := s.seen(); !slices.Equal(acts, []string{""}) || !slices.Equal(posts, []string{"document"}) {
		t.Errorf("acts %v by %v", acts, posts)
	}
}

func TestOnce_SendsOneRequestForManyClicks(t *testing.T) {
	t.Parallel()
	b := browser.Start(t)
	s := newEditorSite(t)
	tab := b.Open(browser.Desktop)
	tab.Goto(s.url + "/review")
	// All in one step: while a page is on its way the browser answers no questions.
	// The last event is what it sends when it shows a page again as it was left.
	got := browser.Value[[]string](tab, `(() => {
		const button = document.querySelector("#send");
		const state = () => [button.textContent, button.getAttribute("aria-disabled"), button.disabled, button.childElementCount].join(" ");
		let passed = 0;
		addEventListener("submit", (event) => { if (!event.defaultPrevented) passed++; });
		button.click(); button.click(); button.form.requestSubmit(button);
		const said = [String(passed), state()];
		dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}));
		return [...said, state()];
	})()`)
	if want := []string{"1", "Sending… true false 0", "Send now  false 1"}; !slices.Equal(got, want) {
		t.Errorf("submissions, button while sending, button of a page that came back: %q, want %q", got, want)
	}
	tab.Wait("location.pathname === '/corrections'")
	if _, _, posts := s.seen(); len(posts) != 1 {
		t.Errorf("%d requests", len(posts))
	}
}

func TestKeys_FindGoMoveAndOpen(t *testing.T) {
	t.Parallel()
	b := browser.Start(t)
	s := newEditorSite(t)
	tab := b.Open(browser.Desktop)
	list := func() { tab.Goto(s.url + "/list") }
	list()
	tab.Press("/")
	if got := tab.Focused(); got != "q" {
		t.Errorf("/ focused %q", got)
	}
	tab.Type("gme/?j") // inside a field these are letters
	if got := tab.Field("[name=q]"); got != "gme/?j" || tab.Has("dialog") {
		t.Errorf("field %q", got)
	}
	tab.Eval("document.activeElement.blur()")
	for _, c := range []struct{ key, want string }{{"j", "r1"}, {"j", "r2"}, {"j", "r2"}, {"k", "r1"}, {"k", "r1"}} {
		tab.Press(c.key)
		if got := tab.Focused(); got != c.want {
			t.Errorf("%s: focus on %q, want %q", c.key, got, c.want)
		}
	}
	tab.PressAndFollow("o")
	if got := tab.URL(); got != s.url+"/review?1" {
		t.Errorf("o led to %s", got)
	}
	list()
	tab.Press("g")
	tab.PressAndFollow("m")
	if got := tab.Text("h1"); got != "/" {
		t.Errorf("g m led to %q", got)
	}
	list()
	tab.Press("g")
	tab.PressAndFollow("l")
	if got := tab.Text("h1"); got != "/corrections" {
		t.Errorf("g l led to %q", got)
	}
	list()
	tab.PressAndFollow("e")
	if got := tab.Text("h1"); got != "Edit" {
		t.Errorf("e led to %q", got)
	}
}

func TestKeys_HelpSaysWhatWorksHere(t *testing.T) {
	t.Parallel()
	b := browser.Start(t)
	s := newEditorSite(t)
	tab := b.Open(browser.Desktop)
	tab.Goto(s.url + "/list")
	tab.Press("?")
	if got := tab.Text("dialog[open]"); !strings.Contains(got, "Keyboard shortcuts") || !strings.Contains(got, "Next row") || strings.Contains(got, "review page") {
		t.Errorf("help says %q", got)
	}
	tab.NoViolations()
	tab.Press("e") // behind the help nothing happens
	tab.Press("?")
	if tab.Has("dialog[open]") || tab.Text("h1") != "List" {
		t.Error("? does not close the help, or a key went through it")
	}
	tab.Goto(s.url + "/edit?lang=zh-CN")
	tab.Press("?")
	if got := tab.Text("dialog[open]"); !strings.Contains(got, "键盘快捷键") || !strings.Contains(got, "去核对页") || strings.Contains(got, "下一行") {
		t.Errorf("help says %q", got)
	}
	tab.Press("Escape")
	if tab.Has("dialog[open]") {
		t.Error("Escape does not close the help")
	}
}

func TestKeys_CanBeTurnedOff(t *testing.T) {
	t.Parallel()
	b := browser.Start(t)
	s := newEditorSite(t)
	tab := b.Open(browser.Desktop)
	tab.Goto(s.url + "/list?keys=off")
	for _, key := range []string{"/", "j", "e", "?", "g", "m"} {
		tab.Press(key)
	}
	if tab.Focused() != "" || tab.Has("dialog") || tab.Text("h1") != "List" {
		t.Errorf("focus on %q, page %q", tab.Focused(), tab.Text("h1"))
	}
}

func TestKeys_NeverSend(t *testing.T) {
	t.Parallel()
	b := browser.Start(t)
	s := newEditorSite(t)
	tab := b.Open(browser.Desktop)
	tab.Goto(s.url + "/review")
	for _, key := range []string{"Ctrl+Enter", "Enter", "o", "e", "j", "g", "s"} {
		tab.Press(key)
	}
	if tab.Text("h1") != "Review" {
		t.Errorf("a key led to %q", tab.Text("h1"))
	}
	if _, _, posts := s.seen(); len(posts) != 0 {
		t.Errorf("a key sent %v", posts)
	}
}
