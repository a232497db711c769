package redisdb

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/busuhq/busu/internal/system"
)

// processesKey is a hash: process → what it says of itself.
const processesKey = "busu:processes"

// processesTTL is how long a process is shown that says nothing more: a few
// times as long as it takes to say it again.
const processesTTL = 15 * time.Second

// Announce puts up what a process says of itself.
func (db *DB) Announce(ctx context.Context, p system.Process) error {
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode process: %w", err)
	}
	_, err = db.exchange(ctx, processesKey, p.ID, string(body), processesTTL)
	return err
}

// Withdraw takes down what a process said of itself.
func (db *DB) Withdraw(ctx context.Context, id string) error {
	if err := db.rdb.HDel(ctx, processesKey, id).Err(); err != nil {
		return fmt.Errorf("withdraw process: %w", err)
	}
	return nil
}

// Processes lists what every process said of itself last, aged by the time
// since. What another release has written and this one cannot read is left out.
func (db *DB) Processes(ctx context.Context) ([]system.Process, error) {
	said, err := db.exchange(ctx, processesKey, "", "", processesTTL)
	if err != nil {
		return nil, err
	}
	all := make([]system.Process, 0, len(said))
	for _, s := range said {
		var p system.Process
		if json.Unmarshal([]byte(s.body), &p) == nil {
			all = append(all, p.Aged(s.ageMS))
		}
	}
	system.SortProcesses(all)
	return all, nil
}
