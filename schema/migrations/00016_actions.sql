-- +goose Up

-- What operators changed by hand, over HTTP, and who did: written down before it
-- is done.
CREATE TABLE actions (
    n       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    project text        NOT NULL,
    by_whom text,                 -- the key; NULL: the admin key, or nobody with one
    action  text        NOT NULL, -- dead.replay, dead.delete, snapshot.rollback
    target  text        NOT NULL
);
CREATE INDEX actions_by_time ON actions (at);

-- +goose Down
DROP TABLE actions;
