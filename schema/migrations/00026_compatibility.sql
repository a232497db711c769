-- +goose Up

-- What the oldest build that may run on this schema knows: its newest migration.
-- A migration that contracts raises it to the first that brought what is used
-- instead; all others leave it alone, and the release before goes on.
CREATE TABLE schema_compatibility (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    oldest bigint  NOT NULL
);
INSERT INTO schema_compatibility (oldest) VALUES (26);

-- +goose Down
DROP TABLE schema_compatibility;
