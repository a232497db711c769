-- +goose Up

-- What others are told by calling an address of theirs. Rows go in with what
-- they tell of, so that nothing is told that was rolled back, and nothing that
-- happened stays untold.
CREATE TABLE webhooks (
    id            uuid        PRIMARY KEY, -- UUIDv7: webhook-id, the same at every attempt
    project       text        NOT NULL,
    kind          text        NOT NULL,
    subject       text        NOT NULL,    -- what it is about: an experiment's id
    url           text        NOT NULL,
    body          json        NOT NULL,    -- byte for byte
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    state         text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    due_at        timestamptz NOT NULL DEFAULT clock_timestamp(), -- while it waits: the next attempt
    claims        integer     NOT NULL DEFAULT 0, -- attempts that were begun
    claimed_until timestamptz,             -- by whoever began the last one; then it is anybody's again
    ended_at      timestamptz,
    UNIQUE (project, subject, kind)        -- told once
);
CREATE INDEX webhooks_waiting ON webhooks (due_at) WHERE state = 'waiting';

-- What came of each attempt. A number is missing where a process died before it
-- could say.
CREATE TABLE webhook_attempts (
    webhook_id uuid        NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    number     integer     NOT NULL,
    at         timestamptz NOT NULL,
    status     integer     NOT NULL,       -- 0: there was no answer
    error      text        NOT NULL,       -- '': it was delivered
    took_us    bigint      NOT NULL,
    PRIMARY KEY (webhook_id, number)
);

-- The secret that signs where none is configured: made once, by whoever needs it
-- first.
CREATE TABLE webhook_secret (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    secret text    NOT NULL
);

-- +goose Down
DROP TABLE webhook_secret;
DROP TABLE webhook_attempts;
DROP TABLE webhooks;
