package tail

import (
	"encoding/json"
	"slices"

	"github.com/busuhq/busu/internal/event"
)

// Filter chooses facts. An empty list lets all pass; of a list, one must fit.
type Filter struct {
	Project     string
	Users       []string
	Models      []string
	Experiments []string
	Providers   []string
	Strategies  []string
	Statuses    []string
	Caches      []string
}

// item is an entry with what filters look at, read once for all listeners.
type item struct {
	id   ID
	body []byte
	head
}

type head struct {
	Type        string      `json:"type"`
	Project     string      `json:"project"`
	User        string      `json:"user_id"`
	Model       string      `json:"model"`
	Provider    string      `json:"provider"`
	Strategy    string      `json:"strategy"`
	Status      string      `json:"status"`
	Cache       string      `json:"cache"`
	Experiment  string      `json:"experiment_id"` // of a decision
	Experiments []event.Arm `json:"experiments"`   // of a completion
}

// itemsOf reads entries. What is no fact has no project, and so no listener;
// the worker takes it to the dead letters.
func itemsOf(entries []event.Entry) ([]item, error) {
	items := make([]item, len(entries))
	for i, e := range entries {
		id, err := ParseID(e.ID)
		if err != nil {
			return nil, err
		}
		items[i] = item{id: id, body: e.Body}
		if h := new(head); json.Unmarshal(e.Body, h) == nil && isName(h.Type) {
			items[i].head = *h
		}
	}
	return items, nil
}

// isName refuses types that would not stay on the line they are written on.
func isName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func (f Filter) passes(h head) bool {
	return h.Project != "" && h.Project == f.Project &&
		fits(f.Users, h.User) && fits(f.Models, h.Model) && fits(f.Providers, h.Provider) && fits(f.Strategies, h.Strategy) &&
		fits(f.Statuses, h.Status) && fits(f.Caches, h.Cache) &&
		(len(f.Experiments) == 0 || slices.Contains(f.Experiments, h.Experiment) ||
			slices.ContainsFunc(h.Experiments, func(a event.Arm) bool { return slices.Contains(f.Experiments, a.Experiment) }))
}

func fits(wanted []string, is string) bool { return len(wanted) == 0 || slices.Contains(wanted, is) }
