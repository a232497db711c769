package statement

import (
	"errors"
	"time"
)

const monthLayout = "2006-01"

// ErrMonth refuses what is no month.
var ErrMonth = errors.New("must be a month such as 2026-11")

// Month is a calendar month in UTC.
type Month struct{ first time.Time }

// ParseMonth reads a month such as 2026-11.
func ParseMonth(text string) (Month, error) {
	first, err := time.Parse(monthLayout, text)
	if err != nil || first.Year() < 2000 {
		return Month{}, ErrMonth
	}
	return Month{first}, nil
}

// From is where the month begins.
func (m Month) From() time.Time { return m.first }

// To is where the next one begins: what arrives then is not in this month.
func (m Month) To() time.Time { return m.first.AddDate(0, 1, 0) }

// Days is how many the month has.
func (m Month) Days() int { return int(m.To().Sub(m.first).Hours() / 24) }

// String is as ParseMonth reads it.
func (m Month) String() string { return m.first.Format(monthLayout) }
