-- What a field of the event, such as the answer of a rule, says in the model's place. Events from before have none.
ALTER TABLE predicted ADD COLUMN IF NOT EXISTS naive_value Float64 DEFAULT nan CODEC(ZSTD(1));
ALTER TABLE predicted ADD COLUMN IF NOT EXISTS naive_label LowCardinality(String) DEFAULT '';
