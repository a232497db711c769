-- +goose Up

-- What the cookies of sessions are sealed with: 32 random bytes, one row. Without
-- it there is another one within a second, and every session has ended.
CREATE TABLE session_secret (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    secret bytea   NOT NULL CHECK (length(secret) = 32)
);

-- Sessions that were ended before their time. The others are not kept.
CREATE TABLE session_ends (
    id       uuid        PRIMARY KEY,
    until    timestamptz NOT NULL, -- its cookie is not taken any more anyway
    ended_at timestamptz NOT NULL DEFAULT clock_timestamp() -- what gateways follow
);
CREATE INDEX session_ends_by_time ON session_ends (ended_at);

-- +goose Down
DROP TABLE session_ends;
DROP TABLE session_secret;
