// Package browser lets tests look at pages through a real Chromium. One browser
// process serves a test binary; each test has its own cookies, and a tab of it fails
// the test on console errors and on violations of the content security policy.
//
// It is imported by tests only. A package that uses it should end the process in its
// TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(browser.Main(m)) }
package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// patience bounds every single step of a test. It is long because a busy machine
// with two cores may run several browsers' worth of tabs.
const patience = 30 * time.Second

// names of the program, in the order of preference.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// process is the browser of this test binary.
type process struct {
	ctx     context.Context
	version string // user agent
	err     error
	stop    func()
}

var (
	startOnce sync.Once
	running   process
)

// Main runs the tests of a package and ends the browser, if one was started. It
// returns the exit code.
func Main(m *testing.M) int {
	code := m.Run()
	if running.stop != nil {
		running.stop()
	}
	return code
}

// find returns the path of Chromium, or an empty string.
func find() string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// launch starts the process. Its profile is new and removed with it.
func launch(path string) process {
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.Headless,
		chromedp.NoSandbox, // Continuous integration runs as root, where Chromium's sandbox refuses to start.
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.DisableGPU,
		chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("host-resolver-rules", "MAP *.lan 127.0.0.1"), // names that browsers do not take for this machine
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-extensions", true),
		chromedp.Flag("disable-default-apps", true),
		chromedp.Flag("disable-breakpad", true),
		chromedp.Flag("disable-dev-shm-usage", true), // Containers have little of it.
		chromedp.Flag("disable-background-timer-throttling", true),
		chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("disable-renderer-backgrounding", true),
		chromedp.Flag("disable-ipc-flooding-protection", true),
		chromedp.Flag("disable-features", "Translate,OptimizationHints,MediaRouter,AutofillServerCommunication"),
		chromedp.Flag("force-color-profile", "srgb"),
		chromedp.Flag("password-store", "basic"),
		chromedp.Flag("hide-scrollbars", true),
	}
	ctx, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancelBrowser := chromedp.NewContext(ctx, chromedp.WithErrorf(quiet), chromedp.WithLogf(quiet))
	p := process{ctx: ctx, stop: func() {
		cancelBrowser()
		cancelAllocator()
	}}
	if p.err = chromedp.Do(ctx); p.err != nil {
		p.err = fmt.Errorf("start %s: %w", path, p.err)
		p.stop()
		p.stop = nil
		return p
	}
	v, err := chromedp.CallBrowser(ctx, browser.GetVersion, cdp.Empty{})
	if err != nil {
		p.err = fmt.Errorf("ask the browser for its version: %w", err)
		return p
	}
	p.version = v.UserAgent
	return p
}

// quiet drops the library's notes about events that it does not know.
func quiet(string, ...any) {}

// Browser is what one test sees of Chromium: cookies and cache of its own.
type Browser struct {
	t   testing.TB
	ctx context.Context
}

// Start returns a browser for the test and starts Chromium when it is the first one.
// Without Chromium the test is skipped, and fails when CI=true.
func Start(t testing.TB) *Browser {
	t.Helper()
	path := find()
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("Chromium is not installed, and CI=true requires the browser tests")
		}
		t.Skip("NO BROWSER TEST: Chromium is not installed. Install the package chromium to run it.")
	}
	startOnce.Do(func() { running = launch(path) })
	if running.err != nil {
		t.Fatal(running.err)
	}
	// The tab of this context stays blank; it holds the cookies that the test's tabs
	// share.
	ctx, cancel := chromedp.NewContext(running.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a browser context: %v", err)
	}
	return &Browser{t: t, ctx: ctx}
}
