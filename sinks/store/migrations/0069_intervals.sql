-- Between what each number is to be, as fields of the event say. Events from before have no interval.
ALTER TABLE predicted ADD COLUMN IF NOT EXISTS low Float64 DEFAULT nan CODEC(ZSTD(1));
ALTER TABLE predicted ADD COLUMN IF NOT EXISTS high Float64 DEFAULT nan CODEC(ZSTD(1));
