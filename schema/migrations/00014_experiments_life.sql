-- +goose Up

-- Experiments that are out of sight: nothing of them is deleted.
ALTER TABLE experiments ADD COLUMN archived_at timestamptz;

-- +goose Down
ALTER TABLE experiments DROP COLUMN archived_at;
