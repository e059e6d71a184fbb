package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// commands is the command line (product.md §7).
type commands struct {
	Settings kong.ConfigFlag `name:"settings" env:"CONSOLE_SETTINGS" help:"Settings file, JSON; names as the flags, with _ for -."`

	Serve       serveCommand       `cmd:"" help:"Run the console."`
	Demo        demoCommand        `cmd:"" help:"Run a throw-away console with a built-in simulator and sample orders."`
	User        userCommands       `cmd:"" help:"People."`
	Merchant    merchantCommands   `cmd:"" help:"Merchants."`
	Service     serviceCommands    `cmd:"" help:"Pay Score services."`
	Verify      verifyCommand      `cmd:"" help:"Check the proof of the change log, of a database or of one correction; works offline."`
	Recover     recoverCommand     `cmd:"" help:"Replay the journal into a restored, older database, then ask WeChat about each order."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask a running console whether it is ready; exit code 1 if not."`
}

// dataFolder is the flag of the commands that work on an installation. The demo has
// its own, without the environment variable: it must not touch a real one.
type dataFolder struct {
	Data string `name:"data" env:"CONSOLE_DATA" default:"data" type:"path" help:"Folder of the database, console.db."`
}

// settingsFile reads a settings file. A flag is above the environment, and the
// environment above the file; kong by itself puts the file above the environment.
func settingsFile(r io.Reader) (kong.Resolver, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("CONSOLE_SETTINGS: %w", err)
	}
	f := fileSettings{}
	if err := json.Unmarshal(text, &f.names); err != nil {
		return nil, fmt.Errorf("CONSOLE_SETTINGS: not a JSON object: %w", err)
	}
	f.Resolver, err = kong.JSON(bytes.NewReader(text))
	return f, err
}

// onceOnly is a flag that must be given by hand each time.
const onceOnly = "accept-rollback"

type fileSettings struct {
	kong.Resolver
	names map[string]any
}

func (f fileSettings) Resolve(ctx *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	if flag.Name == onceOnly {
		return nil, nil
	}
	return f.Resolver.Resolve(ctx, parent, flag)
}

// Validate refuses names that are no setting: a misspelt one would be left out
// silently.
func (f fileSettings) Validate(app *kong.Application) error {
	known := map[string]bool{}
	err := kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok && flag.Name != onceOnly {
			known[strings.ReplaceAll(flag.Name, "-", "_")] = true
		}
		return next(nil)
	})
	for name := range f.names {
		if !known[name] {
			err = errors.Join(err, fmt.Errorf("CONSOLE_SETTINGS: %q is no setting", name))
		}
	}
	return err
}

func newParser(c *commands) *kong.Kong {
	return kong.Must(c, kong.Name("console"), kong.Description("The correction console (改价台)."),
		kong.Configuration(settingsFile), kong.Vars{"industries": industryCodes()}, kong.UsageOnError(), kong.Exit(os.Exit))
}

// untilStopped is a context that ends when a signal asks to stop. A reader of the log
// who goes away does not stop anything.
func untilStopped() (context.Context, context.CancelFunc) {
	signal.Ignore(syscall.SIGPIPE)
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}
