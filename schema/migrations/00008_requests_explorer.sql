-- +goose Up

-- What requests are looked for by, beside the time and the user. All are of few,
-- so that a request costs an entry only where it has something to be found by.
-- A model has many, of which the newest are found by time.
CREATE INDEX completions_by_session ON completions (project, session_id, at DESC, id DESC) WHERE session_id IS NOT NULL;
CREATE INDEX completions_by_caller_id ON completions (project, caller_id, at DESC, id DESC) WHERE caller_id IS NOT NULL;
-- Failures, answers cut off or empty, fallbacks, and whatever was done without.
CREATE INDEX completions_in_trouble ON completions (project, at DESC, id DESC)
    WHERE status <> 'ok' OR error_kind IS NOT NULL OR fallbacks IS NOT NULL OR degraded IS NOT NULL;
CREATE INDEX completions_in_experiments ON completions (project, at DESC, id DESC) WHERE experiments IS NOT NULL;

-- +goose Down
DROP INDEX completions_in_experiments;
DROP INDEX completions_in_trouble;
DROP INDEX completions_by_caller_id;
DROP INDEX completions_by_session;
