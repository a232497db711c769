package access

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"
)

// Act is a line of the audit log.
type Act struct {
	At      time.Time       `json:"at"`
	Project string          `json:"project"`
	By      string          `json:"by"`      // a key's id, ByAdmin, ByCommand, ByPerson and a name, or "" for nobody with a key
	Action  string          `json:"action"`  // such as key.create
	Subject string          `json:"subject"` // what it was done to
	Detail  json.RawMessage `json:"detail"`

	Place ActPlace `json:"-"`
}

// Who acts without a key of their own.
const (
	ByAdmin   = "admin"   // the admin key
	ByCommand = "command" // a command on the database
	ByPerson  = "oidc:"   // goes before the name of who signed in with OpenID Connect
)

// ActPlace is a place in the audit log; the zero one is behind the newest act.
type ActPlace struct {
	At   time.Time
	Name string
}

// String is what ParseActPlace reads.
func (p ActPlace) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(p.At.UTC().Format(time.RFC3339Nano) + " " + p.Name))
}

// ParseActPlace reads what String wrote.
func ParseActPlace(text string) (p ActPlace, err error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	at, name, ok := strings.Cut(string(b), " ")
	if err != nil || !ok || !placeName.MatchString(name) {
		return p, errNotGiven
	}
	if p.At, err = time.Parse(time.RFC3339Nano, at); err != nil || p.At.Year() < 1 {
		return ActPlace{}, errNotGiven
	}
	p.Name = name
	return p, nil
}

var (
	placeName   = regexp.MustCompile(`^[a-z]{1,20}-[0-9]{1,20}$`)
	errNotGiven = errors.New("it is not one that was given out")
)
