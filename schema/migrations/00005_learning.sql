-- +goose Up

-- The request whose call made the answer, where it came from a cache.
ALTER TABLE completions ADD COLUMN origin_id uuid;

-- What strategies that learn saw of a prompt: hashed words and counters, as
-- the gateway encodes them. They expire before the rows that they belong to.
CREATE TABLE features (
    id       uuid        NOT NULL, -- of the completion
    at       timestamptz NOT NULL,
    features bytea       NOT NULL,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
ALTER TABLE features ALTER COLUMN features SET STORAGE EXTERNAL; -- compressed it would be hardly smaller
CREATE TABLE features_default PARTITION OF features DEFAULT;

-- Verdicts on answers. One waits until its completion is stored; then it is
-- joined to it, or refused.
CREATE TABLE feedback (
    id           uuid        PRIMARY KEY, -- UUIDv7: the X-Request-Id of the call that brought it
    at           timestamptz NOT NULL,    -- the time in id
    project      text        NOT NULL,
    key_id       text,
    request_id   uuid        NOT NULL,
    feedback_id  text,                    -- the caller's own
    source       text,
    comment      text,
    rating       smallint,
    correct      boolean,
    score        float8,
    quality      float8      NOT NULL,    -- all of it on a scale from 0 to 1
    bad          boolean     NOT NULL,
    journal      text        NOT NULL,
    partition    int         NOT NULL,
    seq          bigint      NOT NULL,
    persisted_at timestamptz NOT NULL DEFAULT now(),

    -- waiting for its completion; learned from; only kept: it says something of
    -- the answer and nothing of the routing, or repeats; refused
    state        text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'learned', 'kept', 'refused')),
    note         text,                    -- why it is only kept, or refused
    next_try     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX feedback_by_caller ON feedback (project, feedback_id) WHERE feedback_id IS NOT NULL;
CREATE INDEX feedback_by_request ON feedback (request_id);
CREATE INDEX feedback_waiting ON feedback (next_try) WHERE state = 'waiting';
CREATE INDEX feedback_by_time ON feedback (at);

-- What is learned from, in the order in which it is: gapless. A lesson holds
-- all that it takes, so that learning again from the same ones gives the same.
CREATE TABLE lessons (
    n          bigint      PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    project    text        NOT NULL,
    strategy   text        NOT NULL,
    request_id uuid        UNIQUE,   -- that a verdict is on: one teaches once; NULL for other lessons
    lesson     bytea       NOT NULL
);
ALTER TABLE lessons ALTER COLUMN lesson SET STORAGE EXTERNAL;
CREATE INDEX lessons_by_time ON lessons USING brin (at);

-- What was learned, numbered per project and strategy. Where only the price
-- moved, the model is that of an older one. Project * is what all of them
-- taught, once there are several.
CREATE TABLE snapshots (
    project        text        NOT NULL,
    strategy       text        NOT NULL,
    snapshot       bigint      NOT NULL,
    at             timestamptz NOT NULL DEFAULT now(),
    lesson         bigint      NOT NULL, -- the last one that is in it
    verdicts       bigint      NOT NULL,
    weight         float8      NOT NULL,
    lambda         float8      NOT NULL,
    rolled_back_to bigint,
    base           bigint,               -- the snapshot of project * that it is learned on top of
    model_of       bigint      NOT NULL, -- the snapshot that has the model's bytes
    controller     bytea       NOT NULL,
    model          bytea,
    PRIMARY KEY (project, strategy, snapshot)
);
ALTER TABLE snapshots ALTER COLUMN model SET STORAGE EXTERNAL;

-- What the worker publishes on busu:decisions, numbered where it is decided
-- and sent from here: nothing is published that was rolled back, and nothing
-- that was decided stays unsaid.
CREATE TABLE decisions (
    seq     bigint      PRIMARY KEY, -- gapless
    id      uuid        NOT NULL UNIQUE,
    at      timestamptz NOT NULL,
    type    text        NOT NULL,
    project text        NOT NULL,
    body    json        NOT NULL     -- the fact, byte for byte
);

-- Who does what only one process should do at a time.
CREATE TABLE leases (
    name  text        PRIMARY KEY,
    owner text        NOT NULL,
    until timestamptz NOT NULL
);

-- +goose Down
DROP TABLE leases;
DROP TABLE decisions;
DROP TABLE snapshots;
DROP TABLE lessons;
DROP TABLE feedback;
DROP TABLE features;
ALTER TABLE completions DROP COLUMN origin_id;
