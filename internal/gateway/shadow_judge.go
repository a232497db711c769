package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/judge"
	"github.com/busuhq/busu/internal/llm"
)

// judge has the judge rate both answers of a pair, once in either order, and
// records what it says as feedback on both.
func (s *Shadow) judge(ctx context.Context, p pair, second *event.CompletionRecorded, response llm.Response) Skip {
	c, err := judge.NewCase(p.request.Ask.Messages, p.answer, response)
	if err != nil {
		return SkipUnfit
	}
	forth, skipped := s.rate(ctx, p, c)
	if skipped != SkipNone {
		return skipped
	}
	swapped, skipped := s.rate(ctx, p, c.Swapped())
	if skipped != SkipNone {
		return skipped
	}
	marks, ok := judge.Agree(forth, swapped)
	if !ok {
		return SkipContradiction
	}
	if s.say(p.request.Project, p.request.ID, marks.A) != nil || s.say(p.request.Project, second.ID, marks.B) != nil {
		return SkipLedger
	}
	s.stats.judged.Add(1)
	return SkipNone
}

// rate asks the judge once.
func (s *Shadow) rate(ctx context.Context, p pair, c judge.Case) (judge.Marks, Skip) {
	ask, err := judge.Ask(c)
	if err != nil {
		return judge.Marks{}, SkipUnfit
	}
	r := Request{ID: p.request.ID, Project: p.request.Project, KeyID: p.request.KeyID, Model: s.Judge, Ask: ask}
	d, err := s.gateway.decideAlone(&r)
	if err != nil {
		return judge.Marks{}, SkipUnfit // longer than its window
	}
	if s.Room != nil && !s.Room(d.Choices[0].Model.Provider) {
		return judge.Marks{}, SkipBusy
	}
	d.Strategy, d.Confidence, d.reason = event.StrategyJudge, "", "Asked in the background, to rate two answers."
	response, f, skipped := s.call(ctx, r, d)
	switch {
	case skipped != SkipNone:
		return judge.Marks{}, skipped
	case f.Failed():
		return judge.Marks{}, SkipJudge
	}
	marks, err := judge.Read(response.Text)
	if err != nil {
		s.Log.Debug("a judge's reply is no verdict", "model", f.Model, "request_id", f.ID, "err", err)
		return judge.Marks{}, SkipJudge
	}
	return marks, SkipNone
}

// sourceJudge says who gave feedback that no caller did.
const sourceJudge = "judge"

// say records the judge's verdict on a request.
func (s *Shadow) say(project string, request uuid.UUID, quality float64) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make feedback id: %w", err)
	}
	f := event.NewFeedback(id)
	f.Project, f.RequestID, f.Source, f.FeedbackID = project, request, sourceJudge, event.FeedbackByJudge+request.String()
	f.Comment, f.Score = "by "+s.Judge, &quality
	if err := s.gateway.Ledger.Record(f); err != nil {
		return errors.Join(ErrLedger, err)
	}
	return nil
}

// startOfDay is when a budget began that now counts in.
func startOfDay(now time.Time) time.Time { return now.UTC().Truncate(24 * time.Hour) }
