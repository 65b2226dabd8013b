-- Which silence kept an alert quiet stood in the sentence alone, and rows were found by comparing sentences. Of rows from
-- before, the id is taken out of theirs.
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS silence String DEFAULT if(why = 'silenced', extract(detail, '^by silence ([0-9A-Za-z_.-]+)'), '') CODEC(ZSTD(1));
