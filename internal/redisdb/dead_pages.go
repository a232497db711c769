package redisdb

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/system"
)

// countDeadScript counts dead letters without reading what is in them.
//
//	KEYS[1] dead letters
//	returns how many, the id of the oldest or ''
var countDeadScript = redis.NewScript(`
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
return {redis.call('XLEN', KEYS[1]), first and first[1] or ''}
`)

// CountDead counts the dead letters, and tells how old the oldest is.
func (db *DB) CountDead(ctx context.Context, now time.Time) (d system.DeadLetters, err error) {
	found, err := countDeadScript.Run(ctx, db.rdb, []string{deadKey}).Slice()
	if err != nil || len(found) != 2 {
		return d, fmt.Errorf("count dead letters: %w", err)
	}
	d.Count, _ = found[0].(int64)
	oldest, _ := found[1].(string)
	d.OldestMS = ageOf(oldest, now)
	return d, nil
}

const (
	previewBytes = 512
	// mostScanned bounds the bytes that a page looks at: a letter may have
	// megabytes, and Redis does nothing else meanwhile.
	mostScanned = 8 << 20
)

// deadPageScript lists dead letters, the newest first, with the beginnings of
// their bodies: what they hold stays where it is. It ends early when it has
// looked at much. Before the first one it does not search: for that XREVRANGE
// would go through all of them.
//
//	KEYS[1] dead letters
//	ARGV[1] where to begin, ARGV[2] how many at most
//	ARGV[3] bytes of a preview, ARGV[4] bytes to look at in all
//	returns how many there are in all, 1 if there are older ones, else 0,
//	then for each: id, stream, id there, reason, length, preview
var deadPageScript = redis.NewScript(`
local page, from, seen = {redis.call('XLEN', KEYS[1]), 0}, ARGV[1], 0
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local function older()
  return first and from ~= '(' .. first[1] and redis.call('XREVRANGE', KEYS[1], from, '-', 'COUNT', 1)[1]
end
for _ = 1, tonumber(ARGV[2]) do
  local letter = older()
  if not letter or seen > tonumber(ARGV[4]) then break end
  local fields = {}
  for i = 1, #letter[2], 2 do fields[letter[2][i]] = letter[2][i + 1] end
  local body = fields['` + eventField + `'] or ''
  seen = seen + #body
  for _, v in ipairs({letter[1], fields['stream'] or '', fields['id'] or '', fields['reason'] or '', #body,
      string.sub(body, 1, tonumber(ARGV[3]))}) do
    page[#page + 1] = v
  end
  from = '(' .. letter[1]
end
if older() then page[2] = 1 end
return page
`)

// DeadPage lists up to count dead letters older than one, "" for the newest.
// There may be fewer where they are large.
func (db *DB) DeadPage(ctx context.Context, before string, count int) (page system.DeadPage, err error) {
	from := "+"
	if before != "" {
		from = "(" + before
	}
	found, err := deadPageScript.Run(ctx, db.rdb, []string{deadKey}, from, count, previewBytes, mostScanned).Slice()
	if err != nil || len(found) < 2 {
		return page, fmt.Errorf("list dead letters: %w", err)
	}
	page.Letters = []system.Dead{}
	page.Count, _ = found[0].(int64)
	older, _ := found[1].(int64)
	for found = found[2:]; len(found) >= 6; found = found[6:] {
		page.Letters = append(page.Letters, deadEntry(found))
	}
	if n := len(page.Letters); n > 0 && older == 1 {
		page.NextCursor = &page.Letters[n-1].ID
	}
	return page, nil
}

func deadEntry(of []any) system.Dead {
	text := func(i int) string {
		s, _ := of[i].(string)
		return s
	}
	d := newDead(text(0), text(1), text(2), text(3))
	d.Bytes, _ = of[4].(int64)
	d.Preview = legible(text(5))
	return d
}

func newDead(id, stream, entry, reason string) system.Dead {
	d := system.Dead{ID: id, At: time.UnixMilli(millisOf(id)).UTC(), Stream: stream, Reason: legible(reason)}
	if entry != storedEntry && entry != "" {
		d.Entry = &entry
	}
	return d
}

// legible leaves out what is no text.
func legible(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r < ' ' && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}

// DeadWhole reads one dead letter with all of its bytes, or returns ErrNone.
func (db *DB) DeadWhole(ctx context.Context, id string) (system.DeadBody, error) {
	letter, err := db.DeadLetter(ctx, id)
	if err != nil {
		return system.DeadBody{}, err
	}
	d := system.DeadBody{Dead: newDead(letter.ID, letter.Stream, letter.Entry, letter.Reason)}
	d.Bytes = int64(len(letter.Body))
	d.Preview = legible(letter.Body[:min(len(letter.Body), previewBytes)])
	if utf8.ValidString(letter.Body) {
		d.Body = &letter.Body
	} else {
		d.Base64 = []byte(letter.Body)
	}
	return d, nil
}

// Discard removes a dead letter for good, or returns ErrNone.
func (db *DB) Discard(ctx context.Context, id string) error {
	n, err := db.rdb.XDel(ctx, deadKey, id).Result()
	if err != nil {
		return fmt.Errorf("discard dead letter %s: %w", id, err)
	}
	if n == 0 {
		return ErrNone
	}
	return nil
}
