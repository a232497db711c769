-- +goose Up

-- Lessons about the price are kept for days, those of verdicts for months:
-- the old ones of the first are found without reading the second.
CREATE INDEX lessons_about_price ON lessons (n) WHERE request_id IS NULL;

-- +goose Down
DROP INDEX lessons_about_price;
