-- +goose Up

-- Budgets of keys are held against what is stored under the kind key, whatever
-- the project. Only those rows are in these indexes.
CREATE INDEX rollups_days_by_key ON rollups_days (name, day) WHERE kind = 'key';
CREATE INDEX rollups_hours_by_key ON rollups_hours (name, hour) WHERE kind = 'key';
CREATE INDEX rollups_minutes_by_key ON rollups_minutes (name, minute) WHERE kind = 'key';

-- +goose Down
DROP INDEX rollups_minutes_by_key;
DROP INDEX rollups_hours_by_key;
DROP INDEX rollups_days_by_key;
