-- +goose Up

-- What a batch adds to its minutes goes in as rows of its own, which no other
-- worker waits for; every second they are merged. The view has both: a key may
-- occur more than once in it, its sum is always that of the stored rows.
ALTER TABLE rollups RENAME TO rollups_merged;

CREATE TABLE rollups_new (LIKE rollups_merged) WITH (
    autovacuum_vacuum_scale_factor = 0, -- nothing stays in it for long
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_threshold = -1,
    vacuum_truncate = off               -- which would lock workers out
);

CREATE VIEW rollups AS
SELECT * FROM rollups_merged UNION ALL SELECT * FROM rollups_new;

-- +goose Down
-- +goose StatementBegin
DO $$ BEGIN
    IF EXISTS (SELECT FROM rollups_new) THEN
        RAISE EXCEPTION 'rollups_new is not merged yet: stop the traffic, let a worker run for some seconds';
    END IF;
END $$;
-- +goose StatementEnd
DROP VIEW rollups;
DROP TABLE rollups_new;
ALTER TABLE rollups_merged RENAME TO rollups;
