-- +goose Up

-- A day in steps of five minutes is read from a table of its own: of minutes it
-- would be five times as many rows, and as many times more as there are
-- partitions. Partitions are added up. Keys have none here: history is not told
-- by them.
CREATE TABLE rollups_five_minutes (
    project             text        NOT NULL,
    kind                text        NOT NULL,
    minute              timestamptz NOT NULL, -- the first of five
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
    PRIMARY KEY (project, kind, minute, name)
) WITH (fillfactor = 50); -- the newest rows change every second, in place

-- From when on each of its rows is the sum of merged minutes, in one row. What
-- is older is read from minutes; workers fill it in, as far back as anybody may
-- ask, and let go of what is older than that. Whoever changes minutes holds the
-- lock under which they are merged.
CREATE TABLE rollups_five_minutes_since (since timestamptz NOT NULL);
INSERT INTO rollups_five_minutes_since VALUES ('infinity');

-- Workers of an earlier release merge into minutes, hours and days. After them
-- the table is filled in anew.
-- +goose StatementBegin
CREATE FUNCTION rollups_five_minutes_missed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE rollups_five_minutes_since SET since = 'infinity' WHERE since < 'infinity';
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER rollups_five_minutes_missed AFTER INSERT ON rollups_minutes FOR EACH STATEMENT
    WHEN (current_setting('busu.five_minutes', true) IS DISTINCT FROM 'added')
    EXECUTE FUNCTION rollups_five_minutes_missed();

-- +goose Down
DROP TRIGGER rollups_five_minutes_missed ON rollups_minutes;
DROP FUNCTION rollups_five_minutes_missed();
DROP TABLE rollups_five_minutes_since;
DROP TABLE rollups_five_minutes;
