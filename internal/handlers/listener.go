package handlers

import (
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/time/rate"
)

const ipv6Bits = 64 // IPv6 addresses are counted by network

// Limit bounds the open connections: in all, and from one address (trust.md §3.3).
// Loopback and the configured proxies, behind which many people sit, are bounded in all
// only.
func Limit(l net.Listener, proxies []netip.Prefix, all, perAddress int, log *slog.Logger) net.Listener {
	return &limited{
		Listener: netutil.LimitListener(unbuffered{l}, all), proxies: proxies, perAddress: perAddress, open: map[netip.Addr]int{},
		log: log, tell: rate.NewLimiter(rate.Every(time.Minute), 1),
	}
}

// sendBuffer is what the system may keep of what a reader has not taken. More of it would
// hide how slowly an export is taken in.
const sendBuffer = 32 << 10

// unbuffered bounds the send buffers of connections.
type unbuffered struct{ net.Listener }

func (u unbuffered) Accept() (net.Conn, error) {
	conn, err := u.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer)
	}
	return conn, err
}

type limited struct {
	net.Listener
	proxies    []netip.Prefix
	perAddress int
	log        *slog.Logger
	tell       *rate.Limiter
	mu         sync.Mutex
	open       map[netip.Addr]int
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
		full := l.open[from] >= l.perAddress
		if !full {
			l.open[from]++
		}
		l.mu.Unlock()
		if full {
			conn.Close()
			if l.tell.Allow() {
				l.log.Warn("too many connections from one address; if it is a proxy, name it in CONSOLE_TRUSTED_PROXIES, if many people sit behind it, raise CONSOLE_CONNECTIONS_PER_ADDRESS", "address", from.String(), "limit", l.perAddress)
			}
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
	n := ipv6Bits
	if addr.Is4() {
		n = addr.BitLen()
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
