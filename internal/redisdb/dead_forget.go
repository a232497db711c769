package redisdb

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
)

// renameScript puts a dead letter with another body behind all others, in the
// place of the old one, unless that has gone meanwhile.
//
//	KEYS[1] dead letters
//	ARGV[1] id, ARGV[2] body, ARGV[3] reason, ARGV[4] stream, ARGV[5] id there
//	returns 1, or 0 when it is gone
var renameScript = redis.NewScript(`
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('XADD', KEYS[1], '*', '` + eventField + `', ARGV[2], 'reason', ARGV[3], 'stream', ARGV[4], 'id', ARGV[5])
return 1
`)

// deadAtOnce bounds the dead letters that are read in one round trip.
const deadAtOnce = 100

// ForgetDead takes from dead letters whose they are, where that is a project's
// user, and returns how many there were. They can be replayed as before. It
// looks at what parts of a JSON object can be read; what is no JSON says nothing.
func (db *DB) ForgetDead(ctx context.Context, project, user string) (n int64, err error) {
	for after := ""; ; {
		letters, err := db.DeadLetters(ctx, after, deadAtOnce)
		if err != nil || len(letters) == 0 {
			return n, err
		}
		for _, letter := range letters {
			body, ok := nameless(letter.Body, project, user)
			if !ok {
				continue
			}
			done, err := renameScript.Run(ctx, db.rdb, []string{deadKey}, letter.ID, body, letter.Reason, letter.Stream, letter.Entry).Int64()
			if err != nil {
				return n, fmt.Errorf("forget the user of dead letter %s: %w", letter.ID, err)
			}
			n += done
		}
		after = letters[len(letters)-1].ID
	}
}

// nameless is the body of a fact of a user without what says whose it is; ok is
// false where it is no such fact.
func nameless(body, project, user string) (cut []byte, ok bool) {
	var fact map[string]json.RawMessage
	if json.Unmarshal([]byte(body), &fact) != nil {
		return nil, false
	}
	is := func(field, want string) bool {
		var got string
		return json.Unmarshal(fact[field], &got) == nil && got == want
	}
	if !is("type", event.TypeCompletionRecorded) || !is("project", project) || !is("user_id", user) {
		return nil, false
	}
	for _, field := range []string{"user_id", "session_id", "caller_id", "metadata", "features"} {
		delete(fact, field)
	}
	cut, err := json.Marshal(fact)
	return cut, err == nil
}
