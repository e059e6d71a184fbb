// Package static holds the files that pages load: style sheets, scripts, the
// icon. They are served under an address that holds a hash of all of them, so
// browsers keep them for good and a new version never meets old files.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The pattern takes whatever the folders below hold, also when one is empty.
//
//go:embed */*
var tree embed.FS

// Prefix is where all addresses of Path begin, and what Handler is mounted at.
const Prefix = "/static/"

// Sheet is the one style sheet: all files of css/, a file a component.
const Sheet = "css/console.css"

// layers begins the sheet. The layer of a rule decides what it overrides, not the
// file that holds it; within a layer the files follow in the order of their names.
const layers = "@layer reset, tokens, base, layout, components, utilities, print;\n"

// types are the only kinds of files that are served. A script is a module by the
// way a page loads it; its type is the same.
var types = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

type asset struct {
	contentType string
	plain       []byte
	zipped      func() []byte // made when first asked for; nil when it is not smaller
}

type bundle struct {
	hash   string
	assets map[string]*asset
}

var loaded = sync.OnceValue(load)

// load reads the embedded tree. The files are part of the binary, so an error is
// a fault of the build and nothing can be served without them.
func load() bundle {
	b := bundle{assets: map[string]*asset{}}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		contentType, ok := types[path.Ext(name)]
		if !ok || contentType == types[".css"] {
			return nil
		}
		content, err := tree.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read embedded file %s: %w", name, err)
		}
		b.assets[name] = newAsset(contentType, content)
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("static: %v", err))
	}
	sheet, err := readSheet()
	if err != nil {
		panic(fmt.Sprintf("static: %v", err))
	}
	b.assets[Sheet] = newAsset(types[".css"], sheet)
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(b.assets)) {
		content := b.assets[name].plain
		fmt.Fprintf(h, "%s\x00%d\x00", name, len(content))
		h.Write(content)
	}
	b.hash = hex.EncodeToString(h.Sum(nil))[:12]
	return b
}

// readSheet joins the style sheets. table-dense.css follows table.css, which it
// refines: names are compared without their endings.
func readSheet() ([]byte, error) {
	names, err := fs.Glob(tree, "css/*.css")
	if err != nil {
		return nil, fmt.Errorf("list the style sheets: %w", err)
	}
	slices.SortFunc(names, func(a, b string) int {
		return strings.Compare(strings.TrimSuffix(a, ".css"), strings.TrimSuffix(b, ".css"))
	})
	sheet := []byte(layers)
	for _, name := range names {
		part, err := tree.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read embedded file %s: %w", name, err)
		}
		sheet = append(sheet, part...)
	}
	return sheet, nil
}

func newAsset(contentType string, content []byte) *asset {
	return &asset{contentType: contentType, plain: content, zipped: sync.OnceValue(func() []byte {
		var buf bytes.Buffer
		w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
		if err != nil {
			return nil
		}
		_, err = w.Write(content)
		if cerr := w.Close(); err != nil || cerr != nil || buf.Len() >= len(content) {
			return nil
		}
		return buf.Bytes()
	})}
}

// Path returns the address of a file, named by its path below this folder, such
// as "js/keys.js". Modules may import each other by relative paths.
func Path(name string) string { return Prefix + loaded().hash + "/" + name }

// Has reports whether there is such a file to serve.
func Has(name string) bool { return loaded().assets[name] != nil }

// Handler serves the addresses of Path, to be kept for good. Every other address
// below Prefix is 404, those of other versions too, and is not kept.
var Handler http.Handler = http.HandlerFunc(serve)

func serve(w http.ResponseWriter, r *http.Request) {
	b := loaded()
	name, ok := strings.CutPrefix(r.URL.Path, Prefix+b.hash+"/")
	a := b.assets[name]
	head := w.Header()
	if !ok || a == nil {
		head.Set("Cache-Control", "no-store")
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		head.Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	head.Set("Content-Type", a.contentType)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cache-Control", "public, max-age=31536000, immutable")
	head.Set("Vary", "Accept-Encoding")
	body := a.plain
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		if z := a.zipped(); z != nil {
			body = z
			head.Set("Content-Encoding", "gzip")
		}
	}
	head.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // an error means that the browser went away: there is nobody to tell
	}
}

// acceptsGzip reads Accept-Encoding as far as needed: gzip named, and not with a
// weight of zero.
func acceptsGzip(values []string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			coding, params, _ := strings.Cut(part, ";")
			if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				continue
			}
			q, weighted := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(params), " ", ""), "q=")
			return !weighted || strings.Trim(q, "0.") != ""
		}
	}
	return false
}
