-- +goose Up

-- Experiments: the record by which one is judged, beside what is looked for.
CREATE TABLE experiments (
    id             text        PRIMARY KEY, -- UUIDv7; facts of requests name it
    project        text        NOT NULL,
    name           text        NOT NULL,
    state          text        NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'decided', 'stopped')),
    record         jsonb       NOT NULL,
    unit           text        NOT NULL,    -- what is assigned: user, session or request
    observation_us bigint      NOT NULL,    -- after its first request, a unit's requests count
    maturity_us    bigint      NOT NULL,    -- and its totals are final
    started_at     timestamptz NOT NULL,
    outcome        text,                    -- NULL while there is none
    winner         text,                    -- an arm; NULL: none
    ended_at       timestamptz,
    changed_at     timestamptz NOT NULL DEFAULT clock_timestamp(), -- what gateways follow
    progress       json,                    -- all that the judge knows: another goes on from it
    watermark      timestamptz,             -- up to which it has looked
    UNIQUE (project, name)
);
CREATE INDEX experiments_by_change ON experiments (changed_at);

-- Who did what to an experiment.
CREATE TABLE experiment_audit (
    n             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    experiment_id text        NOT NULL,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    action        text        NOT NULL CHECK (action IN ('start', 'ramp', 'stop', 'extend', 'archive', 'decide')),
    by_whom       text,                     -- the key; NULL: nobody with one
    detail        jsonb
);
CREATE INDEX experiment_audit_by_experiment ON experiment_audit (experiment_id, n);

-- What one request's part in an experiment is. Rows go in with the completions.
CREATE TABLE experiment_results (
    experiment_id text        NOT NULL,
    completion_id uuid        NOT NULL,
    unit          text        NOT NULL,
    arm           text        NOT NULL,     -- that served it
    at            timestamptz NOT NULL,
    ok            boolean     NOT NULL,     -- answered, not cut off, not empty
    answered      boolean     NOT NULL,
    cached        boolean     NOT NULL,
    fell_back     boolean     NOT NULL,
    cost_nanos    bigint      NOT NULL,     -- of the call that made the answer
    paid_nanos    bigint      NOT NULL,
    latency_us    bigint      NOT NULL,
    tokens_in     bigint      NOT NULL,
    tokens_out    bigint      NOT NULL,
    PRIMARY KEY (experiment_id, unit, completion_id)
);

-- Who entered an experiment. Totals are summed up once, when the unit has
-- matured and all facts up to then are stored.
CREATE TABLE experiment_units (
    experiment_id text        NOT NULL,
    unit          text        NOT NULL,
    arm           text        NOT NULL,     -- of its first request; it stays there
    first_id      uuid        NOT NULL,     -- that request
    exposed_at    timestamptz NOT NULL,
    matured_at    timestamptz NOT NULL,     -- when its totals are final
    requests      bigint      NOT NULL,     -- all there were
    strays        bigint      NOT NULL,     -- of them, those that another arm served
    late          bigint      NOT NULL DEFAULT 0, -- those that came when it was judged
    judged        boolean     NOT NULL DEFAULT false,
    totals        jsonb,                    -- that were judged
    PRIMARY KEY (experiment_id, unit)
);
CREATE INDEX experiment_units_waiting ON experiment_units (experiment_id, matured_at, unit COLLATE "C") WHERE NOT judged;

-- Verdicts, each written once, with all that they were reached from.
CREATE TABLE experiment_decisions (
    experiment_id text        PRIMARY KEY,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    watermark     timestamptz NOT NULL,
    outcome       text        NOT NULL,
    winner        text,
    verdict       text        NOT NULL,
    decision      json        NOT NULL,
    record        json        NOT NULL      -- the rules, as they were
);

-- +goose Down
DROP TABLE experiment_decisions;
DROP TABLE experiment_units;
DROP TABLE experiment_results;
DROP TABLE experiment_audit;
DROP TABLE experiments;
