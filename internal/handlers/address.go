package handlers

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// addressOf tells where a request comes from. A forwarded address is believed only from
// the configured proxies (trust.md §3.6), hop by hop from the nearest one: the first
// address that is none of theirs is the browser's. What stands left of that, anybody may
// have written. An entry that is no address ends the search at the hop that reported it.
func addressOf(proxies []netip.Prefix) echo.IPExtractor {
	return func(r *http.Request) string {
		at, ok := hop(r.RemoteAddr)
		if !ok {
			return "unknown"
		}
		if !trusted(proxies, at) {
			return at.String()
		}
		entries := strings.Split(strings.Join(r.Header.Values(echo.HeaderXForwardedFor), ","), ",")
		for _, entry := range slices.Backward(entries) {
			if entry = strings.Trim(entry, " \t"); entry == "" { // no hop, as in any list of a header
				continue
			}
			next, ok := hop(entry)
			if !ok {
				break
			}
			if at = next; !trusted(proxies, at) {
				break
			}
		}
		return at.String()
	}
}

func trusted(proxies []netip.Prefix, at netip.Addr) bool {
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(at) })
}

// hop reads an address as proxies write it: 192.0.2.1, 192.0.2.1:5678, 2001:db8::1,
// [2001:db8::1] and [2001:db8::1]:443.
func hop(text string) (netip.Addr, bool) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap().WithZone(""), true
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); !ok || !strings.Contains(inner, ":") {
			return netip.Addr{}, false
		}
		text = inner
	}
	at, err := netip.ParseAddr(text)
	return at.Unmap().WithZone(""), err == nil
}
