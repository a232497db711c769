-- +goose Up

-- How the question of a request that was answered from a cache matched the one
-- that the answer was made for: exact, similar (another case, other white
-- space) or in_flight (it was asked while the answer was being made).
ALTER TABLE completions ADD COLUMN cache_match text;

-- Of tokens_in, those that the provider wrote to its cache, which may have a
-- price of their own.
ALTER TABLE completions ADD COLUMN tokens_in_cache_write bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE completions DROP COLUMN tokens_in_cache_write;
ALTER TABLE completions DROP COLUMN cache_match;
