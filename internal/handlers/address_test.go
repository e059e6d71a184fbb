package handlers

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"
)

var someProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

func TestAddress_OfWhoAsks(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		peer    string
		headers []string
		want    string
	}{
		// Nobody's word but a proxy's.
		{"198.51.100.7:1234", []string{"192.0.2.1"}, "198.51.100.7"},
		{"[2001:db8::7]:1234", []string{"192.0.2.1"}, "2001:db8::7"},
		{"[fe80::1%eth0]:1234", nil, "fe80::1"},
		{"127.0.0.1:1234", []string{"192.0.2.1"}, "127.0.0.1"},
		// As proxies write it.
		{"10.0.0.1:1234", nil, "10.0.0.1"},
		{"10.0.0.1:1234", []string{""}, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"192.0.2.1"}, "192.0.2.1"},
		{"10.0.0.1:1234", []string{"192.0.2.1:5678"}, "192.0.2.1"},
		{"10.0.0.1:1234", []string{"  192.0.2.1:5678\t"}, "192.0.2.1"},
		{"10.0.0.1:1234", []string{"2001:db8::1"}, "2001:db8::1"},
		{"10.0.0.1:1234", []string{"2001:DB8:0::1"}, "2001:db8::1"},
		{"10.0.0.1:1234", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"10.0.0.1:1234", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"10.0.0.1:1234", []string{"[fe80::1%25eth0]:443"}, "fe80::1"},
		{"10.0.0.1:1234", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"10.0.0.1:1234", []string{"[::ffff:192.0.2.1]:80"}, "192.0.2.1"},
		{"[::ffff:10.0.0.1]:1234", []string{"192.0.2.1"}, "192.0.2.1"},
		{"[fd00::1]:1234", []string{"192.0.2.1"}, "192.0.2.1"},
		// The nearest that is no proxy of ours; what stands left of it anybody may have written.
		{"10.0.0.1:1234", []string{"192.0.2.66, 192.0.2.1"}, "192.0.2.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66, 192.0.2.1:80, 10.0.0.2:443"}, "192.0.2.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66", "192.0.2.1", "[fd00::2]:443"}, "192.0.2.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66", "", "192.0.2.1", " , ,"}, "192.0.2.1"},
		{"10.0.0.1:1234", []string{"::ffff:10.0.0.9, 10.0.0.2"}, "10.0.0.9"},
		{"10.0.0.1:1234", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		// What is no address ends it at the hop that reported it.
		{"10.0.0.1:1234", []string{"192.0.2.66, unknown"}, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66, _hidden, 10.0.0.2"}, "10.0.0.2"},
		{"10.0.0.1:1234", []string{"192.0.2.66, 192.0.2.1:99999"}, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66, 192.0.2.1:"}, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66, 192.0.2.256"}, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66, 192.0.2.01"}, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66, [192.0.2.1]"}, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66, [2001:db8::1"}, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66, 2001:db8::1]"}, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66, [2001:db8::1]x"}, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66, [[2001:db8::1]]"}, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66, []"}, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66 192.0.2.1"}, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66, \"192.0.2.1\""}, "10.0.0.1"},
		{"@", []string{"192.0.2.1"}, "unknown"},
		{"", nil, "unknown"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = tc.peer
		for _, h := range tc.headers {
			r.Header.Add("X-Forwarded-For", h)
		}
		r.Header.Set("X-Real-IP", "192.0.2.99")
		r.Header.Set("Forwarded", "for=192.0.2.98")
		if got := addressOf(someProxies)(r); got != tc.want {
			t.Errorf("%s %q: %q, want %q", tc.peer, tc.headers, got, tc.want)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "10.0.0.1:1234"
	r.Header.Set("X-Forwarded-For", "192.0.2.1")
	if got := addressOf(nil)(r); got != "10.0.0.1" {
		t.Errorf("without proxies: %s", got)
	}
}

// Whatever a browser writes into the header, behind a proxy that appends what it sees it
// is the proxy's word that counts; and there is always an answer.
func TestAddress_NothingThatABrowserWritesIsBelieved(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("TEST_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	parts := []string{"10.0.0.9", "192.0.2.66", "[", "]", ":", ",", " ", "\t", "unknown", "::1", "fd00::5", "%", "\"", ";", "443", "99999", "0x7f.1", "é", ""}
	for range 20_000 {
		forged := ""
		for range rnd.IntN(8) {
			forged += parts[rnd.IntN(len(parts))]
		}
		seen := fmt.Sprintf("198.51.100.%d", rnd.IntN(256))
		written := seen
		if rnd.IntN(2) == 0 {
			written += ":4711"
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "10.0.0.1:1234"
		r.Header.Add("X-Forwarded-For", forged)
		if rnd.IntN(2) == 0 {
			r.Header.Set("X-Forwarded-For", forged+", "+written)
		} else {
			r.Header.Add("X-Forwarded-For", written)
		}
		if got := addressOf(someProxies)(r); got != seen {
			t.Fatalf("%q: %q, want %q", r.Header["X-Forwarded-For"], got, seen)
		}
	}
}
