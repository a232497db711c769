package httpapi

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/webhook"
)

// Deliveries tells what the address of an experiment was told, and what came of
// it. It returns experiment.ErrUnknown for an experiment that there is not.
type Deliveries interface {
	Deliveries(ctx context.Context, project, id string) ([]webhook.Delivery, error)
}

// deliveryList is the answer of GET /experiments/{id}/deliveries.
type deliveryList struct {
	Deliveries []webhook.Delivery `json:"deliveries"` // in order
}

func (a *API) experimentDeliveries(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	id := c.Param("experiment_id")
	all, err := a.Deliveries.Deliveries(c.Request().Context(), callerOf(c).Project, id)
	if err != nil {
		return experimentFailure(id, err)
	}
	return c.JSON(http.StatusOK, deliveryList{append([]webhook.Delivery{}, all...)})
}

// shownExperiment leaves out what may be a secret in the address that is told:
// whoever may read of an experiment need not be who started it.
func shownExperiment(s experiment.Status) experiment.Status {
	if s.NotifyURL != "" {
		s.NotifyURL = webhook.Shown(s.NotifyURL)
	}
	return s
}
