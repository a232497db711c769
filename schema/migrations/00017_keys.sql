-- +goose Up

-- Keys, without what would let anybody use one.
CREATE TABLE keys (
    id                  text        PRIMARY KEY, -- UUIDv7; facts of requests name it
    project             text        NOT NULL,    -- '*': the caller chooses one
    name                text        NOT NULL,
    role                text        NOT NULL CHECK (role IN ('admin', 'operate', 'complete', 'read')),
    models              text[]      NOT NULL DEFAULT '{}', -- that may be used; none: all
    strategies          text[]      NOT NULL DEFAULT '{}',
    experiments         text[]      NOT NULL DEFAULT '{}',
    created_at          timestamptz NOT NULL,
    expires_at          timestamptz,
    revoked_at          timestamptz,
    last_used_at        timestamptz,             -- to the minute
    budget_nanos        bigint      CHECK (budget_nanos > 0),
    budget_period       text        CHECK (budget_period IN ('day', 'month')),
    requests_per_minute bigint      CHECK (requests_per_minute > 0),
    tokens_per_minute   bigint      CHECK (tokens_per_minute > 0),
    changed_at          timestamptz NOT NULL DEFAULT clock_timestamp() -- what gateways follow
);
CREATE INDEX keys_by_change ON keys (changed_at);
CREATE INDEX keys_by_project ON keys (project, id);

-- What a key is known by: SHA-256 of it. After a rotation it has several for a
-- while.
CREATE TABLE key_secrets (
    hash    bytea       PRIMARY KEY,
    key_id  text        NOT NULL REFERENCES keys ON DELETE CASCADE,
    prefix  text        NOT NULL,
    made_at timestamptz NOT NULL,
    until   timestamptz              -- NULL: as long as the key
);
CREATE INDEX key_secrets_by_key ON key_secrets (key_id, made_at);

-- What was done that takes a right.
CREATE TABLE audit_log (
    n       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    project text        NOT NULL,
    by_whom text,                    -- a key's id, 'admin' for the admin key, 'command' for a command on the database; NULL: without a key
    action  text        NOT NULL,
    subject text        NOT NULL,
    detail  jsonb
);
CREATE INDEX audit_log_by_project ON audit_log (project, at, n);

-- All that was done, by hand and to experiments too. place orders what has the
-- same time.
CREATE VIEW audit AS
SELECT at, 'log-' || n AS place, project, by_whom, action, subject, detail FROM audit_log
UNION ALL
SELECT at, 'action-' || n, project, by_whom, action, target, NULL FROM actions
UNION ALL
SELECT a.at, 'experiment-' || a.n, e.project, a.by_whom, 'experiment.' || a.action, a.experiment_id, a.detail
FROM experiment_audit a JOIN experiments e ON e.id = a.experiment_id;

-- +goose Down
DROP VIEW audit;
DROP TABLE audit_log;
DROP TABLE key_secrets;
DROP TABLE keys;
