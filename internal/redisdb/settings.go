package redisdb

import (
	"context"
	"fmt"
	"maps"
)

// Settings are those of Redis that matter, and its version, by its own names.
// What it does not tell, as those that others run often do not, is left out.
func (db *DB) Settings(ctx context.Context) (map[string]string, error) {
	settings := map[string]string{}
	info, err := db.rdb.InfoMap(ctx, "server").Result()
	if err != nil && ignoreUnknown(err) != nil {
		return nil, fmt.Errorf("read the version of redis: %w", err)
	}
	if v := info["Server"]["redis_version"]; v != "" {
		settings["redis_version"] = v
	}
	for _, name := range []string{"appendonly", "appendfsync", "maxmemory", "maxmemory-policy"} {
		told, err := db.rdb.ConfigGet(ctx, name).Result()
		if err != nil && ctx.Err() != nil {
			return nil, fmt.Errorf("read the settings of redis: %w", err)
		}
		maps.Copy(settings, told)
	}
	return settings, nil
}
