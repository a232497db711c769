package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/redact"
)

// Redaction takes out of requests what must not leave, before anything else is
// done with them: models, second models, judges, caches and routing see what
// is left. Its fields are set once and never changed.
type Redaction struct {
	Rules    *redact.Rules
	Projects []string      // whose requests; none: all
	Restore  bool          // answers get back what was taken out
	Hook     RedactionHook // nil: nobody else is asked
	Open     bool          // where the hook fails, requests go on without it
}

// RedactionHook takes out what only others know to look for.
type RedactionHook interface {
	// Redact gives each text as it may leave, in their order, and what its
	// placeholders stand for.
	Redact(ctx context.Context, project string, texts []string) (redacted []string, values map[string]string, err error)
}

// ErrRedaction says that a request could not be redacted, so it is not
// answered.
var ErrRedaction = errors.New("the request cannot be redacted")

// degradedRedaction says that a request was answered without the hook.
const degradedRedaction = "redaction"

// covers reports whether a project's requests are redacted.
func (d *Redaction) covers(project string) bool {
	return d != nil && (len(d.Projects) == 0 || slices.Contains(d.Projects, project))
}

// redacted answers r without what must not leave. The caller's answer gets it
// back when nothing more is done with it: no cache and no other caller sees it.
func (g *Gateway) redacted(ctx context.Context, r Request, started time.Time) (Answer, error) {
	taken, err := g.Redaction.redact(ctx, &r)
	if err != nil {
		return Answer{}, err
	}
	restorer := taken.Restorer()
	if !g.Redaction.Restore || restorer == nil || r.Ask.Format == llm.FormatEmbeddings {
		return g.answer(ctx, r, started)
	}
	restoring := newRestoring(restorer, &r.Ask, r.Sink)
	if r.Sink != nil {
		r.Sink = restoring
	}
	answer, err := g.answer(ctx, r, started)
	if err == nil {
		restoring.answer(&answer)
	}
	return answer, err
}

// redact takes out of r what the rules and the hook find.
func (d *Redaction) redact(ctx context.Context, r *Request) (*redact.Taken, error) {
	taken := d.Rules.Begin()
	if err := d.byRules(r, taken); err != nil || d.Hook == nil {
		return taken, err
	}
	err := d.byHook(ctx, r, taken)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w: %w", ErrCanceled, context.Cause(ctx))
	case d.Open:
		r.Degraded = without(r.Degraded, degradedRedaction)
	default:
		return nil, fmt.Errorf("%w: %w", ErrRedaction, err)
	}
	return taken, nil
}

func (d *Redaction) byRules(r *Request, taken *redact.Taken) error {
	for _, look := range []func(string) string{
		func(text string) string { taken.Reserve(text); return text },
		taken.Redact,
	} {
		if err := rewrite(&r.Ask, look); err != nil {
			return fmt.Errorf("%w: %w", ErrRedaction, err)
		}
	}
	return nil
}

// byHook asks once for all texts that differ.
func (d *Redaction) byHook(ctx context.Context, r *Request, taken *redact.Taken) error {
	var texts []string
	known := map[string]int{}
	err := rewrite(&r.Ask, func(text string) string {
		if _, again := known[text]; !again && text != "" {
			known[text] = len(texts)
			texts = append(texts, text)
		}
		return text
	})
	if err != nil || len(texts) == 0 {
		return err
	}
	left, values, err := d.Hook.Redact(ctx, r.Project, texts)
	switch {
	case err != nil:
		return err
	case len(left) != len(texts):
		return fmt.Errorf("the hook was sent %d texts and gave %d back", len(texts), len(left))
	}
	if err := taken.Add(values); err != nil {
		return fmt.Errorf("the hook %w", err)
	}
	return rewrite(&r.Ask, func(text string) string {
		if i, ok := known[text]; ok {
			return left[i]
		}
		return text
	})
}

// structural are members that say what something is. They are not looked at,
// nor are images, sounds and files, their addresses, and thoughts: a vendor has
// signed those, and nothing comes back into them.
var structural = []string{"model", "role", "type", "id", "name", "tool_call_id", "tool_use_id", "object", "format", "detail", "url", "data", "file_data", "file_id",
	"media_type", "signature", "thinking", "encoding_format", "reasoning_effort", "effort", "service_tier", "mode"}

// rewrite gives each text of what is asked to visit, in the body and in the
// fields, and puts in what it returns. What others hold of it stays as it is.
func rewrite(ask *llm.Request, visit func(text string) string) error {
	if ask.Body != nil {
		body, err := redact.Rewrite(ask.Body, func(at redact.Place, text string) string {
			switch {
			case at.Free:
				return visit(text)
			case at.Name == "arguments":
				return redact.RewriteArguments(text, visit)
			case slices.Contains(structural, at.Name):
				return text
			}
			return visit(text)
		})
		if err != nil {
			return err
		}
		ask.Body = body
	}
	ask.Messages = slices.Clone(ask.Messages)
	for i := range ask.Messages {
		rewriteMessage(&ask.Messages[i], visit)
	}
	ask.Stop = slices.Clone(ask.Stop)
	for i := range ask.Stop {
		ask.Stop[i] = visit(ask.Stop[i])
	}
	return rewriteTools(ask, visit)
}

func rewriteMessage(m *llm.Message, visit func(string) string) {
	m.Content, m.Refusal = visit(m.Content), visit(m.Refusal)
	m.Parts = slices.Clone(m.Parts)
	for i := range m.Parts {
		m.Parts[i].Text, m.Parts[i].Name = visit(m.Parts[i].Text), visit(m.Parts[i].Name)
	}
	m.ToolCalls = slices.Clone(m.ToolCalls)
	for i := range m.ToolCalls {
		m.ToolCalls[i].Arguments = redact.RewriteArguments(m.ToolCalls[i].Arguments, visit)
	}
}

// rewriteTools goes through what tools and schemas say of themselves.
func rewriteTools(ask *llm.Request, visit func(string) string) (err error) {
	texts := func(schema []byte) []byte {
		if schema == nil {
			return nil
		}
		with, failed := redact.Rewrite(schema, func(at redact.Place, text string) string {
			if slices.Contains(structural, at.Name) {
				return text
			}
			return visit(text)
		})
		err = errors.Join(err, failed)
		return with
	}
	ask.Tools = slices.Clone(ask.Tools)
	for i := range ask.Tools {
		ask.Tools[i].Description = visit(ask.Tools[i].Description)
		ask.Tools[i].Parameters = texts(ask.Tools[i].Parameters)
	}
	ask.ResponseFormat.Schema = texts(ask.ResponseFormat.Schema)
	return err
}
