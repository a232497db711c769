package postgres_test

import (
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/busuhq/busu/schema"
)

// saysSo is the first migration that could say whom the schema bears.
const saysSo = 26

var (
	// contracting is what an older build may not bear.
	contracting = regexp.MustCompile(`(?i)\b(DROP\s+(TABLE|COLUMN|VIEW|MATERIALIZED|FUNCTION|PROCEDURE|TYPE|SEQUENCE|DEFAULT|SCHEMA)|RENAME|SET\s+NOT\s+NULL|(SET\s+DATA\s+)?TYPE\s+\w+(\s+USING)?|ADD\s+(CONSTRAINT|CHECK|UNIQUE|FOREIGN|PRIMARY))\b`)
	notNull     = regexp.MustCompile(`(?is)ADD\s+COLUMN[^,;]*NOT\s+NULL[^,;]*`)
	comment     = regexp.MustCompile(`--[^\n]*`)
	expands     = regexp.MustCompile(`(?m)^-- expands: \S`) // a reason why what looks otherwise takes nothing away
	raised      = regexp.MustCompile(`(?i)UPDATE\s+schema_compatibility\s+SET\s+oldest\s*=\s*(\d+)\s*;`)
)

// whatContracts is the first statement of a migration that takes something
// away; "" when it only adds.
func whatContracts(sql string) string {
	up, _, _ := strings.Cut(sql, "-- +goose Down")
	if expands.MatchString(up) {
		return ""
	}
	up = comment.ReplaceAllString(up, "")
	for statement := range strings.SplitSeq(up, ";") {
		if m := contracting.FindString(statement); m != "" && !regexp.MustCompile(`(?i)CREATE\s+TYPE`).MatchString(statement) {
			return m
		}
		for _, column := range notNull.FindAllString(statement, -1) {
			if !regexp.MustCompile(`(?i)\b(DEFAULT|GENERATED)\b`).MatchString(column) {
				return column
			}
		}
	}
	return ""
}

// saysWhoRuns checks that a migration raises what builds have to know if, and
// only if, it contracts.
func saysWhoRuns(version int, sql string) error {
	up, _, _ := strings.Cut(sql, "-- +goose Down")
	what, says := whatContracts(sql), raised.FindStringSubmatch(up)
	switch {
	case what != "" && says == nil:
		return fmt.Errorf("it contracts (%s) and does not say so: add UPDATE schema_compatibility SET oldest = N; see CONTRIBUTING.md", strings.TrimSpace(what))
	case what == "" && says != nil:
		return fmt.Errorf("it raises what builds have to know, and takes nothing away")
	case says != nil:
		if n, err := strconv.Atoi(says[1]); err != nil || n > version || n < saysSo {
			return fmt.Errorf("builds have to know %s, which is none of migrations %d to %d", says[1], saysSo, version)
		}
	}
	return nil
}

func TestMigrationsSayWhenTheyContract(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(schema.Migrations, "migrations/*.sql")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d migrations, %v", len(files), err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(schema.Migrations, file)
		if err != nil {
			t.Fatal(err)
		}
		version, err := strconv.Atoi(strings.TrimPrefix(file, "migrations/")[:5])
		if err != nil {
			t.Fatal(err)
		}
		if version <= saysSo {
			continue
		}
		if err := saysWhoRuns(version, string(text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestWhatContracts(t *testing.T) {
	t.Parallel()
	const raise = "\nUPDATE schema_compatibility SET oldest = 27;"
	for sql, fine := range map[string]bool{
		`CREATE TABLE t (id bigint PRIMARY KEY, x text NOT NULL);`:                       true,
		`ALTER TABLE t ADD COLUMN x text;`:                                               true,
		`ALTER TABLE t ADD COLUMN x text NOT NULL DEFAULT '';`:                           true,
		`DROP INDEX i; CREATE INDEX i ON t (x); -- DROP TABLE t;`:                        true,
		"ALTER TABLE t ADD COLUMN x text;\n-- +goose Down\nALTER TABLE t DROP COLUMN x;": true,
		`ALTER TABLE t ADD COLUMN x text NOT NULL;`:                                      false,
		`ALTER TABLE t DROP COLUMN x;`:                                                   false,
		`drop table t;`:                                                                  false,
		`ALTER TABLE t RENAME COLUMN x TO y;`:                                            false,
		`ALTER TABLE t ALTER COLUMN x TYPE bigint;`:                                      false,
		`ALTER TABLE t ALTER COLUMN x SET NOT NULL;`:                                     false,
		`ALTER TABLE t ADD CONSTRAINT c CHECK (x > 0) NOT VALID;`:                        false,
		"-- expands: one more status\nALTER TABLE t DROP CONSTRAINT c;\nALTER TABLE t ADD CONSTRAINT c CHECK (x > 0);": true,
		`DROP FUNCTION f(bigint);`: false,
	} {
		if err := saysWhoRuns(30, sql); (err == nil) != fine {
			t.Errorf("%s: %v", sql, err)
		}
		up, down, has := strings.Cut(sql, "-- +goose Down")
		with := strings.TrimSuffix(up, " -- DROP TABLE t;") + raise
		if has {
			with += "\n-- +goose Down" + down
		}
		if err := saysWhoRuns(30, with); (err == nil) == fine {
			t.Errorf("%s: %v", with, err)
		}
	}
	for _, n := range []string{"31", "25"} {
		if saysWhoRuns(30, "DROP TABLE t; UPDATE schema_compatibility SET oldest = "+n+";") == nil {
			t.Errorf("migration 30 may ask for %s", n)
		}
	}
}
