package httpapi

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
)

// modelAuto asks busu to choose; behind a colon may stand the strategy.
const modelAuto = "auto"

// modelEntry is a model in the words of OpenAI and of Anthropic at once: each
// one's clients pass over the other's.
type modelEntry struct {
	ID          string `json:"id"`
	Object      string `json:"object"`
	Created     int64  `json:"created"`
	OwnedBy     string `json:"owned_by"`
	Type        string `json:"type"`
	DisplayName string `json:"display_name"`
	CreatedAt   string `json:"created_at"`
}

type modelList struct {
	Object  string       `json:"object"`
	Data    []modelEntry `json:"data"`
	HasMore bool         `json:"has_more"`
	FirstID string       `json:"first_id"`
	LastID  string       `json:"last_id"`
}

// entries lists what may be asked for: the ways to let busu choose, then the
// models.
func (n Names) entries() []modelEntry {
	entries := []modelEntry{newModelEntry(modelAuto, "busu")}
	for _, s := range slices.Sorted(slices.Values(n.Strategies)) {
		entries = append(entries, newModelEntry(modelAuto+":"+s, "busu"))
	}
	for _, id := range slices.Concat(n.Models, n.Embedders) {
		entries = append(entries, newModelEntry(id, n.Owners[id]))
	}
	return entries
}

func newModelEntry(id, owner string) modelEntry {
	return modelEntry{ID: id, Object: "model", OwnedBy: owner,
		Type: "model", DisplayName: id, CreatedAt: "1970-01-01T00:00:00Z"}
}

func (a *API) models(c echo.Context) error {
	all := a.Names.grantedTo(callerOf(c)).entries()
	return c.JSON(http.StatusOK, modelList{Object: "list", Data: all, FirstID: all[0].ID, LastID: all[len(all)-1].ID})
}

func (a *API) model(c echo.Context) error {
	for _, m := range a.Names.grantedTo(callerOf(c)).entries() {
		if m.ID == c.Param("model") {
			return c.JSON(http.StatusOK, m)
		}
	}
	return unknownModel(c.Param("model"))
}
