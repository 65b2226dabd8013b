-- Who may ask and change what: tokens, by the digests of their secrets. Of several rows of a token the one changed last counts.
CREATE TABLE IF NOT EXISTS tokens
(
    id String,
    updated_ms Int64,
    name String,
    role LowCardinality(String),
    digest String,
    prefix String,
    created_by String,
    created_ms Int64,
    expires_ms Int64,
    revoked_ms Int64,
    revoked_by String
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- When each was last used, apart: whoever writes that must not undo that a token was revoked meanwhile.
CREATE TABLE IF NOT EXISTS token_uses
(
    id String,
    used_ms Int64
)
ENGINE = ReplacingMergeTree(used_ms)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000;
