-- +goose Up

-- History over months reads hours and days: minutes would be a hundred
-- thousand rows a dimension. Whoever merges a minute adds the same to its hour
-- and its day, in one transaction, so that each is exactly the sum of its
-- minutes; what is not merged yet is in rollups_new for all three. Partitions
-- are added up.
CREATE TABLE rollups_hours (
    project             text        NOT NULL,
    kind                text        NOT NULL,
    hour                timestamptz NOT NULL,
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
    PRIMARY KEY (project, kind, hour, name)
) WITH (fillfactor = 50); -- the newest rows change every second, in place

CREATE TABLE rollups_days (LIKE rollups_hours, PRIMARY KEY (project, kind, hour, name)) WITH (fillfactor = 50);
ALTER TABLE rollups_days RENAME hour TO day;

-- What has been merged goes back to be merged again, into all three. Workers of
-- an earlier release, which know of minutes only, look for the old name: they
-- go on storing facts, and leave merging to those that know. The view rollups
-- is whole all along.
ALTER TABLE rollups_merged RENAME TO rollups_minutes;
INSERT INTO rollups_new SELECT * FROM rollups_minutes;
TRUNCATE rollups_minutes;
CREATE INDEX rollups_by_kind ON rollups_minutes (project, kind, minute);

-- +goose Down
DROP INDEX rollups_by_kind;
ALTER TABLE rollups_minutes RENAME TO rollups_merged;
DROP TABLE rollups_days;
DROP TABLE rollups_hours;
