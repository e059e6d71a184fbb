package wechat

import (
	"context"
	"net"
)

// Dial opens a connection as the gateway's clients do.
func (g *Gateway) Dial(ctx context.Context, address string) (net.Conn, error) {
	return g.dial(ctx, "tcp", address)
}
