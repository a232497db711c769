package chrome

import (
	"encoding/json"
	"strings"
)

// told takes in what happens in the tab.
func (t *Tab) told(method string, params json.RawMessage) {
	var e struct {
		Type              string
		Args              []remote
		ExceptionDetails  exception
		Entry             struct{ Source, Level, Text, URL string }
		Request           struct{ URL string }
		EncodedDataLength float64
	}
	if json.Unmarshal(params, &e) != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch method {
	case "Runtime.exceptionThrown":
		t.faults = append(t.faults, Fault{Kind: "exception", Text: e.ExceptionDetails.String()})
	case "Runtime.consoleAPICalled":
		if e.Type == "error" || e.Type == "assert" {
			t.faults = append(t.faults, Fault{Kind: "console", Text: textOf(e.Args)})
		}
	case "Log.entryAdded":
		if e.Entry.Level == "error" || e.Entry.Source == "security" {
			t.faults = append(t.faults, Fault{Kind: e.Entry.Source, Text: e.Entry.Text, URL: e.Entry.URL})
		}
	case "Network.requestWillBeSent":
		t.requests = append(t.requests, e.Request.URL)
	case "Network.loadingFinished":
		t.bytes += int(e.EncodedDataLength)
	}
}

// remote is a value in the page.
type remote struct {
	Value       json.RawMessage
	Description string
}

func textOf(args []remote) string {
	var words []string
	for _, a := range args {
		word := a.Description
		if word == "" {
			word = strings.Trim(string(a.Value), `"`)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

type exception struct {
	Text      string
	Exception *remote
	URL       string
}

func (e exception) String() string {
	if e.Exception != nil {
		return e.Text + " " + textOf([]remote{*e.Exception})
	}
	return e.Text + " " + e.URL
}
