-- +goose Up

-- Experiments that are out of sight: nothing of them is deleted.
ALTER TABLE experiments ADD COLUMN archived_at timestamptz;


-- Who entered an experiment, counted when the rows that say so are to go.
ALTER TABLE experiments ADD COLUMN entered jsonb;

-- +goose Down
ALTER TABLE experiments DROP COLUMN entered;
ALTER TABLE experiments DROP COLUMN archived_at;
