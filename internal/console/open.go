package console

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"correction-console/internal/config"
	"correction-console/internal/store/sqlite"
)

func makeFolder(data string) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("CONSOLE_DATA=%q: the folder cannot be made: %w", data, err)
	}
	return nil
}

// OpenStore opens the database of the data folder, making both when they are
// missing.
func OpenStore(ctx context.Context, data string) (*sqlite.Store, error) {
	if err := makeFolder(data); err != nil {
		return nil, err
	}
	st, err := sqlite.Open(ctx, config.DatabasePath(data))
	if err != nil {
		return nil, fmt.Errorf("CONSOLE_DATA=%q: %w", data, err)
	}
	return st, nil
}

// Lock makes sure that one console serves a data folder.
func Lock(data string) (func() error, error) {
	if err := makeFolder(data); err != nil {
		return nil, err
	}
	unlock, err := sqlite.Lock(filepath.Join(data, "console.lock"))
	if errors.Is(err, sqlite.ErrLocked) {
		return nil, fmt.Errorf("CONSOLE_DATA=%q: another console serves this folder", data)
	}
	return unlock, err
}

// Listen opens the address; a taken port is told with its setting.
func Listen(setting, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("%s=%q: the port is taken by another program", setting, address)
		}
		return nil, fmt.Errorf("%s=%q: %w", setting, address, err)
	}
	return l, nil
}

// warnPlain warns when people's passwords would cross a network in the open.
func warnPlain(cfg config.Config, at net.Addr, log *slog.Logger) {
	tcp, ok := at.(*net.TCPAddr)
	if cfg.Exposed() {
		log.Warn("plain http beyond this machine, as --insecure-http asks: passwords and sessions cross the network in the open", "address", at.String())
	} else if ok && !tcp.IP.IsLoopback() && !cfg.Secure() {
		log.Warn("plain http on a network address: set CONSOLE_TLS_CERT_FILE, or CONSOLE_PUBLIC_URL to the https address of a proxy", "address", at.String())
	}
}

// warnOpen warns of folders and files of the record that others than their owner may
// read or enter.
func warnOpen(cfg config.Config, log *slog.Logger) {
	db := config.DatabasePath(cfg.Data)
	for _, at := range []struct{ setting, path, mode string }{
		{"CONSOLE_DATA", cfg.Data, "700"}, {"CONSOLE_DATA", db, "600"}, {"CONSOLE_DATA", db + "-wal", "600"},
		{"CONSOLE_DATA", filepath.Join(cfg.Data, "session.key"), "600"}, {"CONSOLE_JOURNAL", cfg.Journal, "700"},
	} {
		info, err := os.Stat(at.path)
		if err != nil || info.Mode().Perm()&0o077 == 0 {
			continue
		}
		log.Warn("others than its owner may read it: run chmod "+at.mode, "setting", at.setting, "path", at.path, "mode", fmt.Sprintf("%04o", info.Mode().Perm()&fs.ModePerm))
	}
}
