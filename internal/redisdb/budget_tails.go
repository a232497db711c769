package redisdb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/pricing"
)

// tailsAtOnce is how many keys are looked at in one go.
const tailsAtOnce = 1000

// Tails reads what the desk knows of all accounts whose periods are not over.
func (db *DB) Tails(ctx context.Context, now time.Time) (map[budget.Account]budget.Tail, error) {
	tails := map[budget.Account]budget.Tail{}
	keys, err := db.accountKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("find accounts of budgets: %w", err)
	}
	for _, key := range keys {
		account, err := parseAccountKey(key)
		if err != nil {
			return nil, err
		}
		if !account.End().After(now) {
			continue
		}
		fields, err := db.rdb.HGetAll(ctx, key).Result()
		if err != nil {
			return nil, fmt.Errorf("read what is spent of budgets: %w", err)
		}
		if tails[account], err = parseTail(fields); err != nil {
			return nil, fmt.Errorf("read what is spent of the budget of %s %s: %w", account.Scope, account.Name, err)
		}
	}
	return tails, nil
}

// accountKeys lists the keys of all accounts. While their slot moves to another
// server they are on two.
func (db *DB) accountKeys(ctx context.Context) ([]string, error) {
	var mu sync.Mutex // of found
	found := map[string]bool{}
	err := db.each(ctx, func(ctx context.Context, server *redis.Client) error {
		keys := server.Scan(ctx, 0, accountsPrefix+"*", tailsAtOnce).Iterator()
		for keys.Next(ctx) {
			mu.Lock()
			found[keys.Val()] = true
			mu.Unlock()
		}
		return keys.Err()
	})
	return slices.Sorted(maps.Keys(found)), err
}

// parseAccountKey is the other way of accountKey.
func parseAccountKey(key string) (a budget.Account, err error) {
	parts := strings.SplitN(strings.TrimPrefix(key, accountsPrefix), ":", 4)
	if len(parts) != 4 {
		return a, fmt.Errorf("%q is no account of a budget", key)
	}
	a = budget.Account{Scope: budget.Scope(parts[0]), Period: budget.Period(parts[1]), Name: parts[3]}
	if a.Began, err = strconv.ParseInt(parts[2], 10, 64); err != nil {
		return a, fmt.Errorf("%q is no account of a budget: %w", key, err)
	}
	return a, nil
}

func parseTail(fields map[string]string) (t budget.Tail, err error) {
	said := map[string]*budget.Said{}
	of := func(process string) *budget.Said {
		if said[process] == nil {
			journal, _, _ := strings.Cut(process, "/")
			said[process] = &budget.Said{Journal: journal}
		}
		return said[process]
	}
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		n, err := strconv.ParseInt(fields[field], 10, 64)
		if err != nil {
			return t, err
		}
		kind, rest, _ := strings.Cut(field, ":")
		switch kind {
		case "made":
			t.Made = time.UnixMilli(n)
		case "m":
			t.Mark = n
		case "s":
			t.Stored = pricing.Nanos(n)
		case "al":
			t.AtFirst = pricing.Nanos(n)
		case "c":
			of(rest).Covered = n
		case "u":
			process, minute, _ := strings.Cut(rest, ":")
			m, err := strconv.ParseInt(minute, 10, 64)
			if err != nil {
				return t, err
			}
			p := of(process)
			p.Spent = append(p.Spent, budget.Spent{Minute: m, Cost: pricing.Nanos(n)})
		}
	}
	for _, process := range slices.Sorted(maps.Keys(said)) {
		t.Said = append(t.Said, *said[process])
	}
	return t, nil
}
