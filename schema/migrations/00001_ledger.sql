-- +goose Up

-- One row per answered or failed request: the fact completion.recorded, as the
-- API wrote it. Money is in nano-dollars, durations are in microseconds; the
-- view requests gives dollars and milliseconds.
CREATE TABLE completions (
    id                  uuid        NOT NULL, -- UUIDv7: the caller's request_id
    at                  timestamptz NOT NULL, -- the time in id
    project             text        NOT NULL,
    key_id              text,
    user_id             text,
    session_id          text,
    caller_id           text,
    metadata            jsonb,

    strategy            text        NOT NULL,
    experiments         jsonb,                -- [{experiment, arm}]
    holdout             boolean     NOT NULL,
    planned_model       text        NOT NULL,
    propensity          float8      NOT NULL,
    snapshot            bigint      NOT NULL, -- of what was learned, 0 for none
    complexity          float8      NOT NULL,
    confidence          text,
    reason              text,
    candidates          jsonb,                -- [{model, quality, cost_nanos, probability}]

    provider            text,
    model               text,
    status              text        NOT NULL,
    error_kind          text,
    finish_reason       text,
    fallbacks           text[],
    degraded            text[],
    cache               text        NOT NULL,

    tokens_in           bigint      NOT NULL,
    tokens_in_cached    bigint      NOT NULL,
    tokens_out          bigint      NOT NULL,
    tokens_reasoning    bigint      NOT NULL,
    cost_nanos          bigint      NOT NULL,
    origin_cost_nanos   bigint      NOT NULL, -- of the call that made the answer
    baseline_cost_nanos bigint      NOT NULL,
    baseline_model      text        NOT NULL,
    price_version       text,
    unpriced            boolean     NOT NULL,
    estimated           boolean     NOT NULL,

    latency_us          bigint      NOT NULL,
    ttft_us             bigint      NOT NULL,
    overhead_us         bigint      NOT NULL,
    latency_bin         smallint    NOT NULL, -- of the quantile sketches
    ttft_bin            smallint    NOT NULL,
    overhead_bin        smallint    NOT NULL,

    journal             text        NOT NULL,
    partition           int         NOT NULL,
    seq                 bigint      NOT NULL,
    persisted_at        timestamptz NOT NULL DEFAULT now(),

    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);

-- The worker makes a partition per day ahead of time; this one keeps a row
-- that no day was made for, so that it is late rather than lost.
CREATE TABLE completions_default PARTITION OF completions DEFAULT;

CREATE INDEX completions_by_time ON completions (project, at DESC, id DESC);
CREATE INDEX completions_by_user ON completions (project, user_id, at DESC);

CREATE VIEW requests AS
SELECT id, at, project, key_id, user_id, session_id, caller_id, metadata,
       strategy, experiments, holdout, planned_model, propensity, complexity, confidence, reason,
       provider, model, status, error_kind, finish_reason, fallbacks, degraded, cache,
       tokens_in, tokens_in_cached, tokens_out, tokens_reasoning,
       cost_nanos * 0.000000001 AS cost_usd,
       baseline_cost_nanos * 0.000000001 AS baseline_cost_usd,
       (baseline_cost_nanos - cost_nanos) * 0.000000001 AS savings_usd,
       latency_us * 0.001 AS latency_ms,
       ttft_us * 0.001 AS ttft_ms,
       overhead_us * 0.001 AS overhead_ms
FROM completions;

-- Which seqs of each journal's lanes are stored: one range means that nothing
-- is missing, every gap between two ranges is a loss or still under way. Those
-- that went to the dead letters are buried.
CREATE TABLE journal_marks (
    journal   text           NOT NULL,
    stream    text           NOT NULL,
    partition int            NOT NULL,
    persisted int8multirange NOT NULL DEFAULT '{}',
    buried    int8multirange NOT NULL DEFAULT '{}',
    PRIMARY KEY (journal, stream, partition)
);

-- What each journal said last of itself: the highest seq of each of its lanes,
-- and up to when all that arrived is recorded.
CREATE TABLE journals (
    id             text        PRIMARY KEY,
    heartbeat_at   timestamptz NOT NULL,
    recorded_until timestamptz NOT NULL,
    open_intents   int         NOT NULL,
    seqs           jsonb       NOT NULL -- "stream/partition" → highest seq
);

-- Minute by minute, what live metrics and history are made of: written in the
-- transaction that stores the rows, so that both always agree. One row per
-- name of a dimension (all, strategy, model, provider, confidence, cache,
-- error). A sketch counts durations by bins; bin i ends at (1.01/0.99)^i
-- microseconds. It is packed: for each bin in order, its distance from the one
-- before and its count, as unsigned varints.
CREATE TABLE rollups (
    project             text        NOT NULL,
    partition           int         NOT NULL,
    minute              timestamptz NOT NULL,
    kind                text        NOT NULL,
    name                text        NOT NULL,
    requests            bigint      NOT NULL,
    errors              bigint      NOT NULL,
    cost_nanos          bigint      NOT NULL,
    baseline_cost_nanos bigint      NOT NULL,
    tokens_in           bigint      NOT NULL,
    tokens_out          bigint      NOT NULL,
    latency             bytea       NOT NULL,
    ttft                bytea       NOT NULL,
    overhead            bytea       NOT NULL,
    PRIMARY KEY (project, partition, minute, kind, name)
);
CREATE INDEX rollups_by_time ON rollups (minute);

-- +goose Down
DROP TABLE rollups;
DROP TABLE journals;
DROP TABLE journal_marks;
DROP VIEW requests;
DROP TABLE completions;
