package bare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
)

// echoProxy reads the question and the answer into structs and writes them
// again, as a gateway does that is written in an afternoon.
func echoProxy(target string) http.Handler {
	client := &http.Client{Transport: transport(), Timeout: answerWithin}
	return newEcho(func(c echo.Context) error {
		var question chat
		if err := json.NewDecoder(c.Request().Body).Decode(&question); err != nil {
			return echo.NewHTTPError(http.StatusBadRequest, err.Error())
		}
		body, err := json.Marshal(question)
		if err != nil {
			return err
		}
		url := fmt.Sprintf("http://%s/v1/chat/completions", target)
		r, err := http.NewRequestWithContext(c.Request().Context(), http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer upstream")
		response, err := client.Do(r)
		if err != nil {
			return echo.NewHTTPError(http.StatusBadGateway, err.Error())
		}
		defer response.Body.Close()
		var answer completion
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			return echo.NewHTTPError(http.StatusBadGateway, err.Error())
		}
		return c.JSON(response.StatusCode, answer)
	})
}
