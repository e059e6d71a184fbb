package faulttest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"correction-console/internal/wechat/simulator"
)

// fault is one way in which a call goes wrong: in the network or at the simulator.
type fault struct {
	name string
	how  way
	sim  simulator.Fault // its Call, Order and Skip are those of the call
	// denied marks a signed answer of success to a modify call that had no effect. Only
	// such a one may end as a conflict: WeChat's word stands against WeChat's order, and
	// neither may be called false. (GzipBomb, SignedGarbage and OtherOrder are signed 200s
	// to a modify call, too, but took effect: they end as applied.)
	denied bool
}

// row is one of the 30 of trust.md §6.4, with its variants for each of the calls. What
// takes effect or not makes no difference to a query.
type row struct {
	name          string
	secure        bool // needs TLS
	modify, query []fault
}

func network1(name string, how way) fault { return fault{name: name, how: how} }

func kind(k simulator.Kind) fault { return fault{name: string(k), sim: simulator.Fault{Kind: k}} }

func kinds(all ...simulator.Kind) []fault {
	var out []fault
	for _, k := range all {
		out = append(out, kind(k))
	}
	return out
}

func (f fault) delayed(d time.Duration) fault {
	f.name += " " + d.String()
	f.sim.Delay = d
	return f
}

// answers is an answer of that status with and without effect; code is empty for a
// body that is no error of WeChat's API.
func answers(status int, code, body, retryAfter string) []fault {
	var out []fault
	for _, k := range []simulator.Kind{simulator.StatusBefore, simulator.StatusAfter} {
		out = append(out, fault{
			name: fmt.Sprintf("%s %d %s%.10s %s", k, status, code, body, retryAfter),
			sim:  simulator.Fault{Kind: k, Status: status, Code: code, Body: body, RetryAfter: retryAfter},
		})
	}
	return out
}

func join(lists ...[]fault) []fault {
	var out []fault
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// documented are the codes of 400 in domain.md §1.3, with one that nobody knows.
var documented = []string{"PARAM_ERROR", "INVALID_REQUEST", "INVALID_ORDER_STATE", "ORDER_CANCELED", "ORDER_DONE", "SOMETHING_NEW"}

const firewall = "<html><body>blocked</body></html>"

func rows() []row {
	signed := answers(http.StatusNoContent, "", "", "")
	signed[0].denied = true
	signed200 := answers(http.StatusOK, "", "", "")
	signed200[0].denied = true
	replayed := kind(simulator.Replayed)
	replayed.denied = true
	var bad, refused []fault
	for _, code := range documented {
		bad = append(bad, answers(http.StatusBadRequest, code, "", "")...)
	}
	bad = join(bad, answers(http.StatusBadRequest, "", firewall, ""), answers(http.StatusBadRequest, "", `{"message":"no code"}`, ""),
		answers(http.StatusBadRequest, "SYSTEM_ERROR", "", ""))
	for _, x := range []struct {
		status int
		code   string
	}{
		{401, "SIGN_ERROR"}, {403, "NO_AUTH"}, {404, "ORDER_NOT_EXIST"}, {404, "RESOURCE_NOT_EXISTS"}, {429, "FREQUENCY_LIMITED"}, {429, "RATELIMIT_EXCEEDED"}, {429, ""},
	} {
		for _, after := range []string{"", "120"} {
			refused = append(refused, answers(x.status, x.code, "", after)...)
		}
	}
	refused = join(refused, kinds(simulator.HTML403, simulator.RateLimited, simulator.SignError, simulator.NoAuth))
	var down []fault
	for _, status := range []int{500, 502, 503, 504} {
		down = join(down, answers(status, "SYSTEM_ERROR", "", ""), answers(status, "", firewall, "30"))
	}
	down = join(down, kinds(simulator.HTML502Before, simulator.Down503Before, simulator.ErrorBefore))
	redirects := kinds(simulator.Redirect301, simulator.Redirect302, simulator.Redirect307, simulator.Redirect308, simulator.Redirect301Foreign,
		simulator.Redirect302Foreign, simulator.Redirect307Foreign, simulator.Redirect308Foreign)
	slow := []fault{kind(simulator.Slow).delayed(21 * time.Second), kind(simulator.Slow).delayed(3 * time.Minute), kind(simulator.Slow).delayed(5 * time.Second)}
	late := []fault{
		kind(simulator.DelayedApply).delayed(3 * time.Second), kind(simulator.DelayedApply).delayed(50 * time.Second),
		kind(simulator.DelayedApply).delayed(4*time.Minute + 59*time.Second), // as long as WeChat accepts a signature
	}

	c := known()
	refusedConnection := []fault{network1("refused", refuse), network1("no route", unreachable)}
	names := []fault{network1("no such host", noSuchHost), network1("time-out", dnsTimeout), network1("server failure", dnsServFail)}
	handshakes := []fault{
		network1("alert", impostor(&tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, errors.New("no") }})),
		network1("old version", impostor(&tls.Config{Certificates: good().Certificates, MaxVersion: tls.VersionTLS11})),
		network1("plain HTTP", peer(func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") })),
		network1("closed", hangsUpAfter(5)),
		network1("silence", peer(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })),
	}
	foreign := []fault{
		network1("expired", impostor(shows(c.expired))), network1("not valid yet", impostor(shows(c.early))),
		network1("other name", impostor(shows(c.otherName))), network1("unknown authority", impostor(shows(c.foreign))),
	}
	resets := []fault{network1("at once", hangsUpAfter(0)), network1("in the middle of the header", hangsUpAfter(40))}

	after := func(k ...simulator.Kind) []fault { return kinds(k...) }
	return []row{
		{"1 connect refused", false, refusedConnection, refusedConnection},
		{"2 DNS", false, names, names},
		{"3 TLS handshake", true, handshakes, handshakes},
		{"4 certificate", true, foreign, foreign},
		{"5 connect time-out", false, []fault{network1("never", hang)}, []fault{network1("never", hang)}},
		{"6 reset before headers", false, resets, resets},
		{"7 reset, not applied", false, after(simulator.ResetBefore), after(simulator.ResetBefore)},
		{"8 reset, applied", false, after(simulator.ResetAfter), after(simulator.ResetBefore)},
		{"9 no answer, applied", false, after(simulator.TimeoutAfter), after(simulator.TimeoutBefore)},
		{"10 no answer, not applied", false, after(simulator.TimeoutBefore), after(simulator.TimeoutBefore)},
		{"11 answer after time-out", false, slow, slow},
		{"12 applied after the connection closed", false, late, after(simulator.ResetBefore)},
		{"13 slow body", false, []fault{kind(simulator.SlowBody), kind(simulator.SlowBody).delayed(5 * time.Millisecond)},
			[]fault{kind(simulator.SlowBody), kind(simulator.SlowBody).delayed(5 * time.Millisecond)}},
		{"14 truncated body", false, after(simulator.Truncated), after(simulator.Truncated)},
		{"15 Content-Length lie", false, after(simulator.LengthLong, simulator.LengthShort), after(simulator.LengthLong, simulator.LengthShort)},
		{"16 huge body", false, after(simulator.Huge, simulator.Endless), after(simulator.Huge, simulator.Endless)},
		{"17 gzip bomb", false, after(simulator.GzipBomb), after(simulator.GzipBomb)},
		{"18 bad signature", false, append(after(simulator.BadSignature), network1("forged", forger())), append(after(simulator.BadSignature), network1("forged", forger()))},
		{"19 no signature", false, after(simulator.Unsigned), after(simulator.Unsigned)},
		{"20 unknown serial", false, after(simulator.UnknownSerial), after(simulator.UnknownSerial)},
		{"21 signed 6 minutes off", false, after(simulator.ClockBehind, simulator.ClockAhead, simulator.OldTimestamp),
			after(simulator.ClockBehind, simulator.ClockAhead, simulator.OldTimestamp)},
		{"22 replayed", false, []fault{replayed}, []fault{kind(simulator.Replayed)}},
		{"23 another order", false, after(simulator.OtherOrder), after(simulator.OtherOrder)},
		{"24 html", false, after(simulator.Garbage, simulator.SignedGarbage), after(simulator.Garbage, simulator.SignedGarbage)},
		{"25 signed 204 and 200", false, join([]fault{{name: "no fault"}}, signed, signed200), join(signed, signed200)},
		{"26 202", false, join(kinds(simulator.Accepted202), answers(http.StatusAccepted, "", "", "")), kinds(simulator.Accepted202)},
		{"27 redirect", false, redirects, redirects},
		{"28 400", false, bad, bad},
		{"29 401, 403, 404, 429", false, refused, refused},
		{"30 5xx and busy", false, join(down, kinds(simulator.Busy, simulator.ErrorAfter, simulator.HTML502After, simulator.Down503After)), down},
	}
}

// refusal reports that WeChat's own words refuse the call. Only then may a correction be
// said to be rejected.
func (f fault) refusal() bool {
	switch f.sim.Kind {
	case simulator.Busy, simulator.RateLimited, simulator.SignError, simulator.NoAuth:
		return true
	case simulator.StatusBefore, simulator.StatusAfter:
		return f.sim.Status/100 == 4 && f.sim.Code != "" && f.sim.Code != "SYSTEM_ERROR"
	}
	return false
}

func (r row) number() string { n, _, _ := strings.Cut(r.name, " "); return n }
