-- +goose Up

-- Whom to forget: a hash of the name, so that what still arrives of the user's
-- requests from before can be told, and by whom it is known when a backup has
-- brought everything back. It goes when rows of that time have gone.
CREATE TABLE forgotten (
    project text        NOT NULL,
    who     bytea       NOT NULL, -- SHA-256 of the project, a zero byte and the user
    n       bigint      GENERATED ALWAYS AS IDENTITY, -- in the order of commits; a new one at every step
    at      timestamptz NOT NULL DEFAULT clock_timestamp(), -- requests from before are nobody's
    swept   boolean     NOT NULL, -- all that was stored has been gone through
    PRIMARY KEY (project, who)
);
CREATE INDEX forgotten_by_number ON forgotten (n);
CREATE INDEX forgotten_by_time ON forgotten (at);

-- Whoever stores what may be of a user calls this last: it fails when somebody
-- was to be forgotten behind the number that he knows. Who is forgotten takes
-- the same lock alone, and so comes behind all that did not know.
-- +goose StatementBegin
CREATE FUNCTION forgotten_behind(known bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('busu: forgotten'));
    IF EXISTS (SELECT FROM forgotten WHERE n > known) THEN
        RAISE EXCEPTION 'somebody was to be forgotten meanwhile' USING ERRCODE = 'BU001';
    END IF;
END $$;
-- +goose StatementEnd

-- From when on rows of a project are there that keeps them for less than others
-- do: what is counted from rows begins there.
CREATE TABLE kept_since (
    project text        PRIMARY KEY,
    since   timestamptz NOT NULL -- the beginning of a day, in UTC
);

-- The request was of a user who is forgotten: nothing that says so is kept of it.
ALTER TABLE completions ADD COLUMN forgotten boolean NOT NULL DEFAULT false;

-- Calls in the background, by the request that they were made for.
CREATE INDEX completions_in_background ON completions (origin_id) WHERE strategy IN ('shadow', 'judge');

-- Units that mature together are judged in the order of their first requests,
-- not of their names, which may have to be forgotten.
DROP INDEX experiment_units_waiting;
CREATE INDEX experiment_units_waiting ON experiment_units (experiment_id, matured_at, first_id) WHERE NOT judged;
UPDATE experiments SET progress = jsonb_set(progress::jsonb, '{last_unit}', '""')::json WHERE progress IS NOT NULL;

-- +goose Down
DROP INDEX experiment_units_waiting;
CREATE INDEX experiment_units_waiting ON experiment_units (experiment_id, matured_at, unit COLLATE "C") WHERE NOT judged;
DROP INDEX completions_in_background;
ALTER TABLE completions DROP COLUMN forgotten;
DROP FUNCTION forgotten_behind(bigint);
DROP TABLE kept_since;
DROP TABLE forgotten;
