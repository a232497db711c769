-- +goose Up

-- Which seqs of each journal's lanes are counted in user_days, of those that
-- journal_marks has as stored. What is stored and not counted is due.
CREATE TABLE counted_marks (
    journal   text           NOT NULL,
    stream    text           NOT NULL,
    partition int            NOT NULL,
    seqs      int8multirange NOT NULL,
    PRIMARY KEY (journal, stream, partition)
);

-- Earlier releases count whole days, with all that was stored a minute before
-- they note that.
INSERT INTO counted_marks (journal, stream, partition, seqs)
WITH since AS (SELECT until - interval '1 minute' AS at FROM counted),
late AS (
    SELECT 'completions' AS stream, journal, partition, range_agg(int8range(seq, seq + 1)) AS seqs
    FROM completions WHERE persisted_at > (SELECT at FROM since) GROUP BY journal, partition
    UNION ALL
    SELECT 'feedback', journal, partition, range_agg(int8range(seq, seq + 1))
    FROM feedback WHERE persisted_at > (SELECT at FROM since) AND NOT implicit GROUP BY journal, partition)
SELECT journal, stream, partition, persisted - coalesce(seqs, '{}')
FROM journal_marks LEFT JOIN late USING (journal, stream, partition)
WHERE stream IN ('completions', 'feedback') AND EXISTS (SELECT FROM since);

-- 1,024 seqs share a key, for an index of few bytes a row.
CREATE INDEX completions_by_seq ON completions (journal, partition, (seq >> 10));
CREATE INDEX feedback_by_seq ON feedback (journal, partition, (seq >> 10)) WHERE NOT implicit;

-- The requests that were added to a row. It is another number than requests
-- where an earlier release counted the day since: then the row is counted anew.
ALTER TABLE user_days ADD COLUMN added bigint NOT NULL DEFAULT 0;
ALTER TABLE user_days SET (fillfactor = 70); -- rows of today change in place

-- +goose Down
ALTER TABLE user_days RESET (fillfactor);
ALTER TABLE user_days DROP COLUMN added;
DROP INDEX feedback_by_seq;
DROP INDEX completions_by_seq;
DROP TABLE counted_marks;
