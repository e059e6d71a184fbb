package simulator

import (
	"bytes"
	"context"
	_ "embed"
	"net/http"
	"slices"
	"strconv"
	"time"
)

//go:embed page.css
var stylesheet []byte

// pageDelay is how slow an answer is that was armed on the page as slow: long enough
// to be watched.
const pageDelay = 4 * time.Second

type pageOrder struct {
	Order
	Merchant string
	Posts    int
	Applied  int
}

type pageProps struct {
	Orders []pageOrder
	Kinds  []KindInfo
	Armed  []Fault
	Failed string
}

// PageHandler is a page to arm faults and to let things happen to orders. It has
// no sign-in: serve it on the loopback range only.
func (s *Server) PageHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.showPage)
	mux.HandleFunc("GET /page.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Write(stylesheet)
	})
	mux.HandleFunc("POST /faults", s.act(func(r *http.Request) error {
		times, _ := strconv.Atoi(r.PostFormValue("times"))
		f := Fault{Kind: Kind(r.PostFormValue("kind")), Call: r.PostFormValue("call"), Order: r.PostFormValue("order"), Times: min(max(times, 1), 100)}
		if f.Kind == Slow {
			f.Delay = pageDelay
		}
		return s.Script(f)
	}))
	mux.HandleFunc("POST /faults/clear", s.act(func(*http.Request) error {
		s.Disarm()
		return nil
	}))
	mux.HandleFunc("POST /orders/pay", s.act(func(r *http.Request) error { return s.Pay(r.PostFormValue("sub_mchid"), r.PostFormValue("order")) }))
	mux.HandleFunc("POST /orders/reset", s.act(func(r *http.Request) error { return s.Reset(r.PostFormValue("sub_mchid"), r.PostFormValue("order")) }))
	mux.HandleFunc("POST /orders/charging", s.act(func(r *http.Request) error {
		return s.SetCharging(r.PostFormValue("sub_mchid"), r.PostFormValue("order"), r.PostFormValue("on") == "1")
	}))
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		guarded.ServeHTTP(w, r)
	})
}

func (s *Server) act(f func(*http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := f(r); err != nil {
			s.render(w, http.StatusUnprocessableEntity, err.Error())
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

func (s *Server) showPage(w http.ResponseWriter, _ *http.Request) { s.render(w, http.StatusOK, "") }

func (s *Server) render(w http.ResponseWriter, status int, failed string) {
	names := map[string]string{}
	for _, m := range DemoMerchants() {
		names[m.SubMchID] = m.Name
	}
	p := pageProps{Kinds: slices.DeleteFunc(Kinds(), func(k KindInfo) bool { return k.Kind.generic() }), Armed: s.Armed(), Failed: failed}
	for _, o := range s.Orders() {
		p.Orders = append(p.Orders, pageOrder{Order: o, Merchant: names[o.SubMchID], Posts: s.Posts(o.OutOrderNo), Applied: s.Applied(o.OutOrderNo)})
	}
	var b bytes.Buffer
	if err := faultsPage(p).Render(context.Background(), &b); err != nil {
		http.Error(w, "the page cannot be rendered", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	b.WriteTo(w)
}

// Label names the kind of an armed fault.
func (f Fault) Label() KindInfo {
	i := slices.IndexFunc(kinds, func(k KindInfo) bool { return k.Kind == f.Kind })
	if i < 0 {
		return KindInfo{Kind: f.Kind}
	}
	return kinds[i]
}
