-- +goose Up

-- What a request was when it came: units are explored by their first one.
ALTER TABLE experiment_results
    ADD COLUMN complexity float8,  -- of the prompt; NULL: from before this was kept
    ADD COLUMN key_id     text,
    ADD COLUMN confidence text;

-- What was judged of a unit, so that a verdict can be reached again from rows.
ALTER TABLE experiment_units
    ADD COLUMN counted boolean NOT NULL DEFAULT false, -- judged, and neither late nor after the verdict
    ADD COLUMN history jsonb,                          -- totals of the week before, where they are used
    ADD COLUMN traits  jsonb;
UPDATE experiment_units SET counted = true WHERE judged;

-- Who entered and is not counted yet, which experiments.progress does not know.
-- What is counted leaves it: it has to be cleaned up often to stay small.
CREATE INDEX experiment_units_entered ON experiment_units (experiment_id, exposed_at) WHERE NOT counted;
ALTER TABLE experiment_units SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- +goose Down
ALTER TABLE experiment_units RESET (autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor);
DROP INDEX experiment_units_entered;
ALTER TABLE experiment_units DROP COLUMN counted, DROP COLUMN history, DROP COLUMN traits;
ALTER TABLE experiment_results DROP COLUMN complexity, DROP COLUMN key_id, DROP COLUMN confidence;
