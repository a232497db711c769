-- +goose Up

-- How many requests of a key may be under way at once, and what each of its
-- users may have. A version before this one ignores these columns.
ALTER TABLE keys
    ADD COLUMN concurrency              bigint CHECK (concurrency > 0),
    ADD COLUMN user_requests_per_minute bigint CHECK (user_requests_per_minute > 0),
    ADD COLUMN user_tokens_per_minute   bigint CHECK (user_tokens_per_minute > 0),
    ADD COLUMN user_concurrency         bigint CHECK (user_concurrency > 0);
