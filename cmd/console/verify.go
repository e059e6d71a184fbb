package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"correction-console/internal/config"
	"correction-console/internal/ledger"
	"correction-console/internal/store/sqlite"
)

type verifyCommand struct {
	dataFolder
	Database   string   `name:"database" type:"path" help:"A database file, such as a copy, instead of the one in the data folder."`
	Checkpoint []string `name:"checkpoint" type:"path" help:"File with a checkpoint that was kept elsewhere. May be given more than once."`
	Proof      string   `name:"proof" type:"path" help:"Check this proof of one correction instead; needs no database."`
	Key        []string `name:"key" help:"Verifier key of the checkpoints, or a file that holds it. Default: that of the key in the data folder."`
	KeyFile    string   `name:"checkpoint-key-file" env:"CONSOLE_CHECKPOINT_KEY_FILE" type:"path" help:"Key file that the default is taken from."`
}

// Run computes the proof of the record again. What does not agree is named, the first
// of it, with exit code 1.
func (v *verifyCommand) Run() error {
	path := v.Database
	if path == "" {
		path = config.DatabasePath(v.Data)
	}
	if v.Proof == "" { // SQLite makes files beside a database that it reads
		if err := refuseForeign(filepath.Dir(path), path); err != nil {
			return err
		}
	}
	keys, err := v.keys()
	if err != nil {
		return err
	}
	if v.Proof != "" {
		return v.proof(keys)
	}
	var elsewhere []ledger.Checkpoint
	for _, name := range v.Checkpoint {
		text, err := os.ReadFile(name)
		if err != nil {
			return config.Usage(fmt.Errorf("--checkpoint: %w", err))
		}
		c, err := ledger.Open(text, keys...)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		elsewhere = append(elsewhere, c)
	}
	start := time.Now()
	debug.SetGCPercent(200) // what is alive is small
	r, err := sqlite.Verify(context.Background(), path, keys, elsewhere...)
	var mine *sqlite.Fault
	var theirs *ledger.Fault
	if errors.As(err, &mine) || errors.As(err, &theirs) {
		return fmt.Errorf("%s is not as it was written: %w", path, err)
	}
	var other *sqlite.OtherKey
	if errors.As(err, &other) {
		return fmt.Errorf("%s agrees with its own checkpoints, but the key is another one: they are signed by %s, which proves nothing without its verifier key. Give that with --key, or put the key file back", path, strings.Join(other.Names, ", "))
	}
	if err != nil {
		return err
	}
	fmt.Printf("%s is as it was written\n", path)
	fmt.Printf("%d events of %d corrections, %d intents to send, in %s\n", r.Events, r.Corrections, r.Intents, time.Since(start).Round(time.Millisecond))
	fmt.Printf("root %s\n", base64.StdEncoding.EncodeToString(r.Root[:]))
	fmt.Printf("%d checkpoints of its own agree\n", r.Checkpoints)
	fmt.Println("covered: the file itself (SQLite's integrity and foreign keys), the tables and their guards, every correction with its events, intent to send, state, flags, what its author gave up and whose order it holds, and the checkpoints")
	fmt.Println("not covered, for it is not in the proof: people, passwords and sessions, settings, merchants and services, the audit rows, closed days, named views and drafts; whoever can write to the file could have changed them")
	for i, c := range elsewhere {
		fmt.Printf("%s agrees: %d events, %s\n", v.Checkpoint[i], c.Size, time.UnixMilli(c.AtMS).UTC().Format(time.RFC3339))
	}
	if len(elsewhere) == 0 {
		fmt.Println("no checkpoint from elsewhere was given: who has this machine could have written all of it anew (--checkpoint)")
	}
	return nil
}

// keys are the verifier keys that are trusted.
func (v *verifyCommand) keys() ([]string, error) {
	var keys []string
	for _, k := range v.Key {
		if text, err := os.ReadFile(k); err == nil {
			k = string(text)
		}
		keys = append(keys, strings.TrimSpace(k))
	}
	if len(keys) > 0 {
		return keys, nil
	}
	path := v.KeyFile
	if path == "" {
		path = filepath.Join(v.Data, "checkpoint.key")
	}
	if _, err := os.Stat(path); err != nil { // not to make one here
		return nil, config.Usage(errors.New("--key: give the verifier key of the checkpoints; the page Operations shows it"))
	}
	signer, err := ledger.LoadOrCreateKey(path)
	if err != nil {
		return nil, config.Usage(fmt.Errorf("CONSOLE_CHECKPOINT_KEY_FILE=%q: %w", path, err))
	}
	return []string{signer.VerifierKey()}, nil
}

func (v *verifyCommand) proof(keys []string) error {
	data, err := os.ReadFile(v.Proof)
	if err != nil {
		return config.Usage(fmt.Errorf("--proof: %w", err))
	}
	r, err := ledger.CheckProof(data, keys...)
	if err != nil {
		return fmt.Errorf("%s proves nothing: %w", v.Proof, err)
	}
	fmt.Printf("%s is a proof of correction %d of order %s\n", v.Proof, r.CorrectionID, r.OutOrderNo)
	for _, s := range r.Events {
		fmt.Printf("%s  %s\n", time.UnixMilli(s.AtMS).UTC().Format(time.RFC3339), s.State)
	}
	fmt.Printf("in the record of %d events that %s signed at %s\n", r.Checkpoint.Size, r.Key, time.UnixMilli(r.Checkpoint.AtMS).UTC().Format(time.RFC3339))
	return nil
}
