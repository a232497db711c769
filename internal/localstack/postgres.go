package localstack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pgName is the superuser and the database that busu finds.
const pgName = "busu"

func (s *Stack) startPostgres(ctx context.Context, o Options) error {
	home, err := choosePostgres(ctx, o)
	if err != nil {
		return err
	}
	if o.Ephemeral && home.place != o.Dir {
		s.scrap = home.place
	}
	notes := home.notes(o)
	password, err := home.initialise(ctx, s.launcher, o)
	if err != nil {
		return err
	}
	server := &Server{
		Name: "postgres", LogPath: filepath.Join(o.Dir, "postgres.log"),
		// Fast shutdown, then an immediate one.
		farewell: []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT}, launcher: s.launcher, log: o.Log,
		prepare: home.endPredecessor,
	}
	port, err := server.startOnPort(ctx, preferredPort(o, postgresPort), func(port int) error {
		server.command = func() *exec.Cmd { return home.command(o, port) }
		server.ask = askPostgres(port, password)
		return nil
	})
	if err != nil {
		return err
	}
	if !o.Ephemeral {
		server.guard(context.WithoutCancel(ctx))
	}
	s.Postgres, s.DatabaseURL, s.Notes = server, postgresURL(port, password, pgName), append(s.Notes, notes...)
	return nil
}

func (h pgHome) command(o Options, port int) *exec.Cmd {
	settings := []string{
		"unix_socket_directories=", // Debian's default is writable by root alone
		"jit=off",                  // compiling costs more than these queries
	}
	if o.Ephemeral {
		settings = append(settings, "max_connections=300")
	}
	if o.Ephemeral && !o.Durable {
		settings = append(settings, "fsync=off", "full_page_writes=off", "autovacuum=off")
	}
	args := []string{"-D", h.dataDir, "-h", "127.0.0.1", "-p", strconv.Itoa(port)}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	cmd := exec.Command(h.program.path, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = h.dataDir, h.program.environ(), h.id.attr()
	if o.Ephemeral {
		diesWithUs(cmd.SysProcAttr, syscall.SIGKILL) // a test may have stopped it
	} else {
		diesWithUs(cmd.SysProcAttr, syscall.SIGINT) // a clean end, and a quick next start
	}
	return cmd
}

// initialise makes the data directory if there is none, and returns the
// superuser's password. The directory gets its name when it is complete.
func (h pgHome) initialise(ctx context.Context, l *launcher, o Options) (string, error) {
	passwordFile := filepath.Join(h.dataDir, "busu.password")
	if h.hasData() {
		if err := h.id.own(h.dataDir); err != nil {
			return "", dirError(h.dataDir, err)
		}
		text, err := os.ReadFile(passwordFile)
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%s was not made by busu, or its busu.password is gone; move the directory away to start with an empty one", h.dataDir)
		}
		return strings.TrimSpace(string(text)), dirError(h.dataDir, err)
	}
	if o.PostgresOf != "" {
		if err := h.copyOf(ctx, l, o); err != nil {
			return "", err
		}
		o.PostgresOf = "" // the copy has the password that it is a copy of
		return h.initialise(ctx, l, o)
	}
	o.Log.Info("creating a PostgreSQL data directory", "dir", h.dataDir)
	staging, stagedPassword := h.dataDir+".new", h.dataDir+".password"
	if err := errors.Join(os.RemoveAll(staging), os.RemoveAll(stagedPassword), os.Mkdir(staging, 0o700)); err != nil {
		return "", dirError(h.place, err)
	}
	password, err := secret(stagedPassword)
	if err != nil {
		return "", dirError(h.place, err)
	}
	if err := errors.Join(h.id.own(staging), h.id.own(stagedPassword)); err != nil {
		return "", dirError(h.place, err)
	}
	if err := h.initdb(ctx, l, o, staging, stagedPassword); err != nil {
		return "", err
	}
	err = errors.Join(
		os.Rename(stagedPassword, filepath.Join(staging, "busu.password")),
		os.Rename(staging, h.dataDir))
	return password, dirError(h.place, err)
}

func (h pgHome) initdb(ctx context.Context, l *launcher, o Options, dir, passwordFile string) error {
	server := Server{
		Name: "initdb", LogPath: filepath.Join(o.Dir, "initdb.log"), launcher: l,
		command: func() *exec.Cmd {
			bin := h.program.sibling("initdb")
			cmd := exec.Command(bin.path, "-D", dir, "-U", pgName, "-A", "scram-sha-256", "--pwfile", passwordFile,
				"-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
			cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, bin.environ(), h.id.attr()
			diesWithUs(cmd.SysProcAttr, syscall.SIGKILL)
			return cmd
		},
	}
	return server.runOnce(ctx)
}

// copyOf copies another server's data, and notes which server to follow.
func (h pgHome) copyOf(ctx context.Context, l *launcher, o Options) error {
	staging := h.dataDir + ".new"
	if err := errors.Join(os.RemoveAll(staging), os.Mkdir(staging, 0o700), h.id.own(staging)); err != nil {
		return dirError(h.place, err)
	}
	server := Server{
		Name: "pg_basebackup", LogPath: filepath.Join(o.Dir, "basebackup.log"), launcher: l,
		command: func() *exec.Cmd {
			bin := h.program.sibling("pg_basebackup")
			cmd := exec.Command(bin.path, "-D", staging, "-d", o.PostgresOf, "-R", "-X", "stream", "-c", "fast", "--no-sync")
			cmd.Dir, cmd.Env, cmd.SysProcAttr = staging, bin.environ(), h.id.attr()
			diesWithUs(cmd.SysProcAttr, syscall.SIGKILL)
			return cmd
		},
	}
	if err := server.runOnce(ctx); err != nil {
		return err
	}
	return dirError(h.place, os.Rename(staging, h.dataDir))
}

// endPredecessor also removes a pid file whose number now belongs to another
// program, which PostgreSQL would take for itself. One whose process is gone
// it checks better than we could.
func (h pgHome) endPredecessor(ctx context.Context) error {
	const pidFile = "postmaster.pid"
	if err := endLeftovers(ctx, h.dataDir, pidFile, syscall.SIGINT, "postgres", "postmaster"); err != nil {
		return err
	}
	path := filepath.Join(h.dataDir, pidFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil // the usual case: it ended properly
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err == nil && pid > 0 && syscall.Kill(pid, 0) == nil {
		return os.Remove(path)
	}
	return nil
}

func postgresURL(port int, password, database string) string {
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", pgName, password, address(port), database)
}

// askPostgres connects to busu's database, and makes it the first time.
func askPostgres(port int, password string) func(context.Context) error {
	return func(ctx context.Context) error {
		err := connect(ctx, postgresURL(port, password, pgName), "")
		var refused *pgconn.PgError
		if errors.As(err, &refused) && refused.Code == "3D000" { // no such database
			return connect(ctx, postgresURL(port, password, "postgres"), "CREATE DATABASE "+pgName)
		}
		return err
	}
}

func connect(ctx context.Context, url, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if sql == "" {
		return nil
	}
	_, err = conn.Exec(ctx, sql)
	return err
}
