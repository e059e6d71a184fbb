package main

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"correction-console/internal/config"
)

// foreign tells which command to run instead when root works on a data folder that
// belongs to another user; empty when there is nothing to refuse. Files that root makes
// there (the database's own, beside it, too) could not be opened any more by the
// console that runs as that user. Nothing is made or opened to find out.
func foreign(data string, more ...string) string {
	if os.Geteuid() != 0 {
		return ""
	}
	for _, path := range slices.Concat([]string{data, config.DatabasePath(data)}, more) {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		if s, ok := info.Sys().(*syscall.Stat_t); ok && s.Uid != 0 {
			return fmt.Sprintf("%s belongs to %s, and files that root makes there would shut that user out: run %s", path, ownerName(s.Uid), asOwner(s.Uid, data))
		}
	}
	return ""
}

func ownerName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "user " + id
}

// asOwner is this command as that user runs it. What the environment says is not handed
// on by sudo: the data folder is named, the rest has to be kept (-E).
func asOwner(uid uint32, data string) string {
	who := "#" + strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(who[1:]); err == nil {
		who = u.Username
	}
	words := []string{"sudo", "-u", who}
	for _, name := range os.Environ() {
		if strings.HasPrefix(name, prefix) && !strings.HasPrefix(name, "CONSOLE_DATA=") {
			words = append(words, "-E")
			break
		}
	}
	args := os.Args[1:]
	words = slices.Concat(words, os.Args[:1], args)
	if !slices.ContainsFunc(args, func(a string) bool { return a == "--data" || strings.HasPrefix(a, "--data=") }) {
		words = append(words, "--data", data)
	}
	for i, w := range words {
		words[i] = quoted(w)
	}
	return strings.Join(words, " ")
}

// quoted is a word for a shell.
func quoted(w string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=:,@%+", r)
	}
	if w != "" && !strings.ContainsFunc(w, func(r rune) bool { return !plain(r) }) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// checkOwner is foreign among the problems of the settings.
func checkOwner(cfg config.Config) []config.Problem {
	if fix := foreign(cfg.Data, cfg.Journal); fix != "" {
		return []config.Problem{{Setting: "CONSOLE_DATA", Value: cfg.Data, Fix: fix}}
	}
	return nil
}

// refuseForeign is foreign as the error of a command.
func refuseForeign(data string, more ...string) error {
	if fix := foreign(data, more...); fix != "" {
		return config.Usage(fmt.Errorf("CONSOLE_DATA=%q: %s", data, fix))
	}
	return nil
}
