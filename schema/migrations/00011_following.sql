-- +goose Up

-- Lessons about the price are kept for days, those of verdicts for months:
-- the old ones of the first are found without reading the second.
CREATE INDEX lessons_about_price ON lessons (n) WHERE request_id IS NULL;

-- Verdicts that nobody gave: what happened says them. Their ids are those of
-- their requests, so that there is one of each; they come from no journal, and
-- have the place of their request.
ALTER TABLE feedback ADD COLUMN implicit boolean NOT NULL DEFAULT false;
ALTER TABLE lessons ADD COLUMN implicit boolean NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE lessons DROP COLUMN implicit;
DELETE FROM feedback WHERE implicit;
ALTER TABLE feedback DROP COLUMN implicit;
DROP INDEX lessons_about_price;
