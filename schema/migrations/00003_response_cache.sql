-- +goose Up

-- Answers that may be given again, longest of all here. One row per question
-- and model; a newer answer takes the place of the older one. The question is
-- in it as a hash only, the answer encoded. The worker removes what has
-- expired.
CREATE TABLE response_cache (
    key         bytea       NOT NULL, -- SHA-256 of the question's canonical form
    model       text        NOT NULL, -- that answered
    provider    text        NOT NULL,
    project     text        NOT NULL,
    user_id     text,                 -- whose question it was, for deletion
    request_id  uuid        NOT NULL, -- whose call made the answer
    experiments jsonb,                -- [{experiment, arm}]
    holdout     boolean     NOT NULL,
    tokens_in   bigint      NOT NULL,
    tokens_out  bigint      NOT NULL,
    cost_nanos  bigint      NOT NULL, -- of the call
    entry       bytea       NOT NULL, -- the answer, as the gateway encodes it
    at          timestamptz NOT NULL, -- when the answer was made
    stored_at   timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (key, model)
);
CREATE INDEX response_cache_by_request ON response_cache (request_id);
CREATE INDEX response_cache_by_user ON response_cache (project, user_id);
CREATE INDEX response_cache_by_expiry ON response_cache (expires_at);
CREATE INDEX response_cache_by_storage ON response_cache (stored_at);

-- +goose Down
DROP TABLE response_cache;
