-- What was read, and as what, is not to be seen from a hash: a backtest says what of it a configuration would change.
ALTER TABLE epochs ADD COLUMN IF NOT EXISTS reads String CODEC(ZSTD(1));
