package simulator

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is something that goes wrong with the next call or calls.
type Fault struct {
	Kind  Kind
	Call  string        // CallQuery or CallModify
	Host  string        // host:port as the request names it; empty = any
	Order string        // order number; empty = any
	Times int           // how often; 0 = once
	Skip  int           // matching calls to let pass first
	Delay time.Duration // of Slow, DelayedApply and SlowBody; 0 = the defaults above

	// Of StatusBefore and StatusAfter. An answer in the 200s is signed.
	Status     int
	Code       string // of an error of WeChat's form; empty = Body
	Body       string
	RetryAfter string // header; empty = none
}

// Script arms a fault. It fails for a kind that does not exist for the call.
func (s *Server) Script(f Fault) error {
	i := slices.IndexFunc(kinds, func(k KindInfo) bool { return k.Kind == f.Kind })
	if i < 0 || !slices.Contains(kinds[i].Calls, f.Call) {
		return fmt.Errorf("arm fault: there is no %q for %q", f.Kind, f.Call)
	}
	if f.Kind.generic() && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("arm fault: %q with status %d", f.Kind, f.Status)
	}
	if f.Times <= 0 {
		f.Times = 1
	}
	f.Delay = f.delay()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
	return nil
}

func (f Fault) delay() time.Duration {
	switch {
	case f.Delay > 0:
		return f.Delay
	case f.Kind == DelayedApply:
		return DefaultLater
	case f.Kind == SlowBody:
		return DefaultPause
	}
	return DefaultDelay
}

// Armed lists the faults that are still to come.
func (s *Server) Armed() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Fault
	for _, f := range s.faults {
		out = append(out, *f)
	}
	return out
}

// Disarm forgets all faults and ends the chaos.
func (s *Server) Disarm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.chaos = nil, chaos{}
}

// next takes the fault for a call, if one is armed.
func (s *Server) next(q request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Call != q.call || (f.Order != "" && f.Order != q.no) || (f.Host != "" && f.Host != q.host) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			return nil
		}
		now := *f
		// A reset on a kept connection looks like one that was closed while idle, after
		// which clients ask again: the fault waits for that.
		if f.Kind == ResetBefore && q.call == CallQuery && !q.first {
			return &now
		}
		if f.Times--; f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return &now
	}
	return s.chaos.draw(q)
}

// refusals are the faults that are answers with an error and nothing else.
var refusals = map[Kind]*refusal{
	ErrorBefore:   systemError,
	Down503Before: unavailable,
	RateLimited:   {429, "FREQUENCY_LIMITED", "频率超限", "268435472", ""},
	Busy:          busy,
	SignError:     signError("签名错误，验签失败"),
	NoAuth:        {403, "NO_AUTH", "当前无权限进行此操作", "268503786", ""},
}

// serve answers a verified request, with the fault that is armed for it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, q request) {
	f := s.next(q)
	if f == nil {
		s.plain(w, r, q)
		return
	}
	s.note(q, func(p *Post) { p.Fault = f.Kind })
	if no := refusals[f.Kind]; no != nil {
		s.refuse(w, no)
		return
	}
	switch f.Kind {
	case TimeoutBefore:
		s.hang(r)
		return
	case ResetBefore:
		reset(w)
		return
	case HTML502Before:
		page(w, http.StatusBadGateway)
		return
	case Garbage:
		page(w, http.StatusOK)
		return
	case HTML403:
		page(w, http.StatusForbidden)
		return
	case Redirect301, Redirect302, Redirect307, Redirect308, Redirect301Foreign, Redirect302Foreign, Redirect307Foreign, Redirect308Foreign:
		redirect(w, r, f.Kind)
		return
	case StatusBefore:
		s.say(w, q, f)
		return
	case Replayed:
		s.replay(w, q)
		return
	case Accepted202:
		s.succeed(w, q, http.StatusAccepted, nil)
		return
	case PaidBetween:
		s.between(q, func(e *entry) error { return e.pay(s.clock()) })
		s.plain(w, r, q)
		return
	case LowerBetween:
		s.between(q, func(e *entry) error { return e.lower(below(e.order, q)) })
		s.plain(w, r, q)
		return
	case DelayedApply:
		time.AfterFunc(f.Delay, func() {
			select {
			case <-s.done:
			default:
				s.modify(q)
			}
		})
		reset(w)
		return
	case Slow:
		s.wait(r, f.Delay)
		s.plain(w, r, q)
		return
	}
	status, body, refused := s.answer(r, q)
	if refused != nil { // refused anyway: there is nothing to spoil
		s.refuse(w, refused)
		return
	}
	s.spoil(w, r, q, f, status, body)
}

// redirect sends a call elsewhere.
func redirect(w http.ResponseWriter, r *http.Request, kind Kind) {
	status, foreign := strings.CutSuffix(string(kind), "_foreign")
	to := "/elsewhere" + r.URL.EscapedPath()
	if foreign {
		to = "http://elsewhere.invalid" + r.URL.EscapedPath()
	}
	w.Header().Set("Location", to)
	code, _ := strconv.Atoi(status)
	w.WriteHeader(code)
}

// wait holds an answer back.
func (s *Server) wait(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	case <-s.done:
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) plain(w http.ResponseWriter, r *http.Request, q request) {
	status, body, refused := s.answer(r, q)
	if refused != nil {
		s.refuse(w, refused)
		return
	}
	s.head(w, q, body)
	s.mu.Lock()
	s.earlier[past{q.call, q.no}] = answered{status, w.Header().Clone(), body}
	s.mu.Unlock()
	w.WriteHeader(status)
	w.Write(body)
}

// past names the answers that can be replayed: the newest genuine one of each call
// for each number.
type past struct{ call, no string }

type answered struct {
	status int
	header http.Header
	body   []byte
}

// replay gives the newest earlier answer again, as it was signed then. A modify
// call that is the first for its order gets the answer to a query; when there is
// none either, the connection ends.
func (s *Server) replay(w http.ResponseWriter, q request) {
	s.mu.Lock()
	a, ok := s.earlier[past{q.call, q.no}]
	if !ok {
		a, ok = s.earlier[past{CallQuery, q.no}]
	}
	s.mu.Unlock()
	if !ok {
		reset(w)
		return
	}
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	w.Write(a.body)
}

// page is what a proxy or firewall answers.
func page(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<html><head><title>%d</title></head><body><center><h1>%d</h1></center><hr><center>openresty</center></body></html>\n", status, status)
}
