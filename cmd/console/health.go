package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"correction-console/internal/config"
)

type versionCommand struct{}

func (versionCommand) Run() error {
	v := version
	if info, ok := debug.ReadBuildInfo(); ok {
		v += " " + info.GoVersion
	}
	fmt.Println("console " + v)
	return nil
}

type healthcheckCommand struct {
	config.Settings
}

// Run asks the console on this machine. With TLS the name on the certificate is the
// public one, not the loopback address, so it is not compared: nothing secret is
// sent or believed.
func (h *healthcheckCommand) Run() error {
	host, port, err := net.SplitHostPort(h.Listen)
	if err != nil {
		return config.Usage(fmt.Errorf("CONSOLE_LISTEN=%q: write host:port", h.Listen))
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	scheme := "http"
	if h.TLSCertFile != "" {
		scheme = "https"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	url := scheme + "://" + net.JoinHostPort(host, port) + "/readyz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%s does not answer", url)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 200))
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d", url, res.StatusCode)
	}
	fmt.Print(string(body))
	return nil
}
