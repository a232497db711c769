package chat

import (
	"strconv"

	"github.com/tidwall/gjson"
)

// FailureError is a failure that a vendor reports where an answer should be,
// or a piece of one, as gateways do that have sent their status already.
type FailureError struct {
	Status  int    // what the vendor says it would have been, or 0
	Code    string // the vendor's word, such as rate_limit_exceeded, or ""
	Type    string // the vendor's word, such as server_error, or ""
	Message []byte // JSON. It may hold anything, a key that was echoed too
}

func (e *FailureError) Error() string { return "the vendor reports a failure" }

func newFailure(v gjson.Result) *FailureError {
	e := &FailureError{Message: []byte(v.Raw)}
	if !v.IsObject() {
		return e
	}
	e.Type = v.Get("type").String()
	code := v.Get("code").String() // a status at some, a word at others
	if status, err := strconv.Atoi(code); err == nil {
		e.Status = status
	} else {
		e.Code = code
	}
	return e
}
