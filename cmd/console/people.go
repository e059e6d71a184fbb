package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"correction-console/internal/auth"
	"correction-console/internal/config"
	"correction-console/internal/console"
	"correction-console/internal/correction"
	"correction-console/internal/store/sqlite"
)

type userCommands struct {
	Add     userAdd     `cmd:"" help:"Add a person."`
	List    userList    `cmd:"" help:"List the people."`
	Reset   userReset   `cmd:"" help:"Set a new password; signs the person out."`
	Disable userDisable `cmd:"" help:"Let a person in no more; signs them out."`
}

type userAdd struct {
	dataFolder
	Name          string   `arg:"" help:"User name to sign in with."`
	Role          string   `required:"" enum:"agent,supervisor,operator,auditor" help:"agent, supervisor, operator or auditor."`
	DisplayName   string   `name:"display-name" help:"Name that others see. Default: the user name."`
	Merchant      []string `name:"merchant" help:"Sub-merchant number that the person may touch; repeat for several. Default: all."`
	Lang          string   `enum:",zh-CN,en" default:"" help:"Language: zh-CN or en. Default: the browser's."`
	PasswordStdin bool     `name:"password-stdin" help:"Read the password from the first line of standard input."`
}

func (u *userAdd) Run() error {
	name, err := auth.NormalUsername(u.Name)
	if err != nil {
		return config.Usage(fmt.Errorf("%q is no user name: letters, digits and signs without blanks, at most 64", u.Name))
	}
	display, problem := correction.CleanText(u.DisplayName, 40)
	if problem.Code != "" {
		return config.Usage(fmt.Errorf("--display-name: at most 40 visible characters"))
	}
	if display == "" {
		display = name
	}
	for i, m := range u.Merchant {
		m = correction.HalfWidth(m)
		u.Merchant[i] = m
		if !correction.ValidMchID(m) {
			return config.Usage(fmt.Errorf("--merchant %q: write the sub-merchant number, digits only", m))
		}
	}
	return withStore(u.Data, func(ctx context.Context, st *sqlite.Store) error {
		hash, err := newPassword(ctx, u.PasswordStdin, name)
		if err != nil {
			return err
		}
		err = st.AddUser(ctx, sqlite.UserSpec{
			Username: name, Name: display, Role: correction.Role(u.Role), All: len(u.Merchant) == 0, Merchants: u.Merchant, PasswordHash: hash, Lang: u.Lang,
		})
		if errors.Is(err, sqlite.ErrExists) {
			return fmt.Errorf("there is a user %q already", name)
		}
		if err != nil {
			return err
		}
		fmt.Printf("added %s (%s)\n", name, u.Role)
		return nil
	})
}

// newPassword reads a password from standard input, or asks for it, and hashes it.
func newPassword(ctx context.Context, stdin bool, username string) (string, error) {
	if !stdin {
		fmt.Fprint(os.Stderr, "Password (it is shown as you type; use --password-stdin to pipe it): ")
	}
	line, err := bufio.NewReader(io.LimitReader(os.Stdin, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	password := strings.TrimRight(line, "\r\n")
	switch err := auth.CheckPassword(password, username, auth.MinPasswordCLI); {
	case errors.Is(err, auth.ErrPasswordShort):
		return "", config.Usage(fmt.Errorf("the password needs at least %d characters", auth.MinPasswordCLI))
	case errors.Is(err, auth.ErrPasswordLong):
		return "", config.Usage(errors.New("the password is too long: at most 128 characters"))
	case errors.Is(err, auth.ErrPasswordText):
		return "", config.Usage(errors.New("the password holds characters that cannot be used"))
	case err != nil:
		fmt.Fprintf(os.Stderr, "console: %v; have it changed under \"My account\"\n", err)
	}
	if utf8.RuneCountInString(password) < auth.MinPasswordWeb {
		fmt.Fprintf(os.Stderr, "console: the password has fewer than %d characters; have it changed under \"My account\"\n", auth.MinPasswordWeb)
	}
	return auth.NewHasher().Hash(ctx, password)
}

type userList struct{ dataFolder }

func (u *userList) Run() error {
	return withStore(u.Data, func(ctx context.Context, st *sqlite.Store) error {
		users, err := st.Users(ctx)
		if err != nil {
			return err
		}
		return table("USER\tNAME\tROLE\tMERCHANTS\tSTATE", len(users), func(i int) string {
			u := users[i]
			scope, state := "all", "active"
			if !u.Scope.All {
				scope = strings.Join(u.Scope.Merchants, ",")
			}
			if u.Disabled {
				state = "disabled"
			}
			return strings.Join([]string{u.Username, u.Name, string(u.Role), scope, state}, "\t")
		})
	})
}

type userReset struct {
	dataFolder
	Name          string `arg:"" help:"User name."`
	PasswordStdin bool   `name:"password-stdin" help:"Read the password from the first line of standard input."`
}

func (u *userReset) Run() error {
	return withStore(u.Data, func(ctx context.Context, st *sqlite.Store) error {
		name, err := meant(ctx, st, u.Name)
		if err != nil {
			return err
		}
		hash, err := newPassword(ctx, u.PasswordStdin, name)
		if err != nil {
			return err
		}
		if err := known(st.ResetPassword(ctx, name, hash), name); err != nil {
			return err
		}
		fmt.Printf("password of %s set; all sessions ended\n", name)
		return nil
	})
}

type userDisable struct {
	dataFolder
	Name   string `arg:"" help:"User name."`
	Enable bool   `help:"Let the person in again."`
}

func (u *userDisable) Run() error {
	return withStore(u.Data, func(ctx context.Context, st *sqlite.Store) error {
		name, err := meant(ctx, st, u.Name)
		if err != nil {
			return err
		}
		if err := known(st.SetDisabled(ctx, name, !u.Enable), name); err != nil {
			return err
		}
		fmt.Printf("%s: %s\n", name, map[bool]string{true: "enabled", false: "disabled; all sessions ended"}[u.Enable])
		return nil
	})
}

// meant is the user name, as it is kept, of whom a typed name means: the same person who
// signs in with it.
func meant(ctx context.Context, st *sqlite.Store, typed string) (string, error) {
	user, err := st.UserByName(ctx, typed)
	return user.Username, known(err, typed)
}

func known(err error, name string) error {
	if errors.Is(err, auth.ErrNoUser) {
		return config.Usage(fmt.Errorf("there is no user %q", name))
	}
	return err
}

// withStore opens the database for one command; it works beside a running console.
func withStore(data string, f func(context.Context, *sqlite.Store) error) error {
	ctx := context.Background()
	if err := refuseForeign(data); err != nil {
		return err
	}
	st, err := console.OpenStore(ctx, data)
	if err != nil {
		return err
	}
	defer st.Close()
	return f(ctx, st)
}

// table prints aligned columns.
func table(head string, n int, row func(int) string) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for i := range n {
		fmt.Fprintln(w, row(i))
	}
	return w.Flush()
}
