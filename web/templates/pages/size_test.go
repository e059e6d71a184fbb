package pages_test

import (
	"bytes"
	"compress/gzip"
	"testing"

	"correction-console/internal/i18n"
	"correction-console/web/templates/pages"
)

// A full page of the log stays small, because it is opened all day.
func TestLog_StaysSmall(t *testing.T) {
	t.Parallel()
	const limit = 6 << 10
	page := renderPage(t, pages.Log(frameLog(i18n.ZH, 50)))
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, 6) // as the server does
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(page)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes, %d compressed", len(page), b.Len())
	if b.Len() > limit {
		t.Errorf("50 rows are %d bytes compressed, want at most %d", b.Len(), limit)
	}
}
