package redisdb

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/rollup"
)

// providersKey is a hash: process → what it says of its providers.
const providersKey = "busu:providers"

// providersTTL is how long a process is believed that says nothing more.
const providersTTL = 5 * time.Second

// exchangeScript puts up what a process says, and returns what is not too old.
// The only clock is that of Redis. When it is set back, what seems to come from
// the future is dropped, and put up again within a second by those who live.
//
//	KEYS[1] hash
//	ARGV[1] process, ARGV[2] what it says, both '' to only read
//	ARGV[3] milliseconds until that is too old
//	returns process, age in milliseconds, what it said; and so on
var exchangeScript = redis.NewScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[1] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now) .. ' ' .. ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
local all, found = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
  local at, said = string.match(all[i + 1], '^(%d+) (.*)$')
  local age = now - tonumber(at or 0)
  if age >= 0 and age <= tonumber(ARGV[3]) then
    found[#found + 1] = all[i]
    found[#found + 1] = age
    found[#found + 1] = said
  elseif ARGV[1] ~= '' then
    redis.call('HDEL', KEYS[1], all[i])
  end
end
return found
`)

// Exchange puts up what a process says of its providers for a few seconds, and
// returns what every process has put up, by its name, aged by the time since.
// What another release has written and this one cannot read is left out.
func (db *DB) Exchange(ctx context.Context, process string, mine []rollup.ProviderState) (map[string][]rollup.ProviderState, error) {
	body, err := json.Marshal(mine)
	if err != nil {
		return nil, fmt.Errorf("encode providers: %w", err)
	}
	return db.exchangeProviders(ctx, process, string(body))
}

// Providers sums what all processes say of their providers.
func (db *DB) Providers(ctx context.Context) ([]rollup.ProviderState, error) {
	all, err := db.exchangeProviders(ctx, "", "")
	if err != nil {
		return nil, err
	}
	said := make([][]rollup.ProviderState, 0, len(all))
	for _, states := range all {
		said = append(said, states)
	}
	return rollup.MergeProviders(said...), nil
}

func (db *DB) exchangeProviders(ctx context.Context, process, body string) (map[string][]rollup.ProviderState, error) {
	said, err := db.exchange(ctx, providersKey, process, body, providersTTL)
	if err != nil {
		return nil, err
	}
	all := map[string][]rollup.ProviderState{}
	for _, s := range said {
		var states []rollup.ProviderState
		if json.Unmarshal([]byte(s.body), &states) != nil {
			continue
		}
		for i := range states {
			states[i] = states[i].Aged(s.ageMS)
		}
		all[s.process] = states
	}
	return all, nil
}

// saying is what a process has put up, and how long ago.
type saying struct {
	process, body string
	ageMS         float64
}

// exchange puts up what a process says under a key, unless both are empty, and
// returns what is not too old.
func (db *DB) exchange(ctx context.Context, key, process, body string, ttl time.Duration) ([]saying, error) {
	found, err := exchangeScript.Run(ctx, db.rdb, []string{key}, process, body, ttl.Milliseconds()).Slice()
	if err != nil {
		return nil, fmt.Errorf("exchange %s: %w", key, err)
	}
	var all []saying
	for ; len(found) >= 3; found = found[3:] {
		var s saying
		s.process, _ = found[0].(string)
		age, _ := found[1].(int64)
		s.body, _ = found[2].(string)
		s.ageMS = float64(age)
		all = append(all, s)
	}
	return all, nil
}
