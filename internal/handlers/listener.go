package handlers

import (
	"net"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/net/netutil"
)

// Limits on open connections (trust.md §3.3).
const (
	maxConnections    = 512
	maxPerAddress     = 32
	addressBits, bits = 64, 32 // IPv6 addresses are counted by network
)

// Limit bounds the open connections: in all, and from one address. Loopback and
// the configured proxies, behind which many people sit, are bounded in all only.
func Limit(l net.Listener, proxies []netip.Prefix) net.Listener {
	return &limited{Listener: netutil.LimitListener(l, maxConnections), proxies: proxies, open: map[netip.Addr]int{}}
}

type limited struct {
	net.Listener
	proxies []netip.Prefix
	mu      sync.Mutex
	open    map[netip.Addr]int
}

// Accept closes connections beyond the limit of their address at once.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, counted := l.addressOf(conn)
		if !counted {
			return conn, nil
		}
		l.mu.Lock()
		full := l.open[from] >= maxPerAddress
		if !full {
			l.open[from]++
		}
		l.mu.Unlock()
		if full {
			conn.Close()
			continue
		}
		return &countedConn{Conn: conn, done: sync.OnceFunc(func() { l.release(from) })}, nil
	}
}

func (l *limited) release(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[from]--; l.open[from] <= 0 {
		delete(l.open, from)
	}
}

func (l *limited) addressOf(conn net.Conn) (netip.Addr, bool) {
	ap, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}, false
	}
	addr := ap.Addr().Unmap()
	if addr.IsLoopback() || slices.ContainsFunc(l.proxies, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return addr, false
	}
	n := addressBits
	if addr.Is4() {
		n = bits
	}
	prefix, err := addr.Prefix(n)
	return prefix.Addr(), err == nil
}

// countedConn is a connection that counts for its address until it is closed.
type countedConn struct {
	net.Conn
	done func()
}

func (c *countedConn) Close() error {
	defer c.done()
	return c.Conn.Close()
}
