package simulator

import (
	"encoding/json"
	"net/http"
	"time"
)

// ChaosSpec is what POST /chaos takes: the arguments of Chaos.
type ChaosSpec struct {
	Seed     uint64
	Permille int
	MaxDelay time.Duration
	Kinds    []Kind
}

// Admin lets a harness in another process drive a server and ask it for the truth,
// in the JSON of this package's types:
//
//	PUT  /orders   []Order   adds or replaces orders
//	GET  /orders   []Order   as they are now
//	GET  /posts    []Post
//	POST /fault    Fault
//	POST /chaos    ChaosSpec
//	POST /disarm
//
// It answers 200 with what was asked for, 204, or 422 with a line of text. It has no
// sign-in: serve it on the loopback range only, on a listener of its own.
func Admin(s *Server) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /orders", take(func(orders []Order) error {
		for _, o := range orders {
			s.Put(o)
		}
		return nil
	}))
	mux.HandleFunc("POST /fault", take(s.Script))
	mux.HandleFunc("POST /chaos", take(func(c ChaosSpec) error { return s.Chaos(c.Seed, c.Permille, c.MaxDelay, c.Kinds...) }))
	mux.HandleFunc("POST /disarm", func(w http.ResponseWriter, _ *http.Request) {
		s.Disarm()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, _ *http.Request) { give(w, s.Orders()) })
	mux.HandleFunc("GET /posts", func(w http.ResponseWriter, _ *http.Request) { give(w, s.PostLog()) })
	return mux
}

// take reads a T from the body and hands it to f.
func take[T any](f func(T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var v T
		dec := json.NewDecoder(r.Body)
		dec.DisallowUnknownFields()
		err := dec.Decode(&v)
		if err == nil {
			err = f(v)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func give[T any](w http.ResponseWriter, list []T) {
	if list == nil {
		list = []T{} // not null
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list) // the caller went away
}
