-- The tables after migration 70; written by `python -m tests.sinks.store.new_store`.
CREATE TABLE IF NOT EXISTS acknowledgements
(
    `alert_id` String,
    `updated_ms` Int64,
    `sequence` Int64,
    `taken_back` Int64,
    `created_by` String,
    `comment` String
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY alert_id
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS alerts
(
    `model` LowCardinality(String),
    `alert_id` String,
    `sequence` Int64,
    `state` LowCardinality(String),
    `at_ms` Int64,
    `starts_ms` Int64,
    `ends_ms` Int64,
    `version` LowCardinality(String),
    `segment` LowCardinality(String),
    `severity` LowCardinality(String),
    `title` String CODEC(ZSTD(1)),
    `labels` String CODEC(ZSTD(1)),
    `signals` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (model, alert_id, sequence)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS arrivals
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `topic` LowCardinality(String),
    `partition` Int64,
    `since_ms` Int64,
    `events` Int64,
    `last_ms` Int64,
    `standing` Int64,
    `number` Int64
)
ENGINE = ReplacingMergeTree(number)
ORDER BY (model, signal, topic, partition)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS audit
(
    `at_ms` Int64,
    `id` String,
    `who` String,
    `role` LowCardinality(String),
    `address` String,
    `operation` String,
    `subject` String,
    `status` Int64,
    `reason` String,
    `unlisted` Int64
)
ENGINE = ReplacingMergeTree
ORDER BY (at_ms, id)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS checkpoints
(
    `stage` LowCardinality(String),
    `name` String,
    `partition` Int64,
    `position` Int64,
    `config` String,
    `state` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(position)
ORDER BY (stage, name, partition)
TTL if((stage IN ('told', 'flapping')), toDateTime(intDiv(position, 1000)) + toIntervalDay(30), toDateTime(4294967295))
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS configurations
(
    `model` LowCardinality(String),
    `version` Int64,
    `at_ms` Int64,
    `digest` String,
    `owner` LowCardinality(String),
    `file` String,
    `author` String,
    `reason` String,
    `document` String CODEC(ZSTD(3)),
    `template` LowCardinality(String)
)
ENGINE = ReplacingMergeTree(at_ms)
ORDER BY (model, version)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS configurations_taken
(
    `model` LowCardinality(String),
    `instance` LowCardinality(String),
    `at_ms` Int64,
    `version` Int64,
    `trouble` String
)
ENGINE = ReplacingMergeTree(at_ms)
ORDER BY (model, instance)
TTL toDateTime(intDiv(at_ms, 1000)) + toIntervalDay(30)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS configured_windows
(
    `model` LowCardinality(String),
    `from_ms` Int64,
    `digest` String
)
ENGINE = ReplacingMergeTree
ORDER BY (model, from_ms)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS dead_letters
(
    `topic` LowCardinality(String),
    `partition` Int64 CODEC(T64, ZSTD(1)),
    `offset` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `model` LowCardinality(String),
    `field` LowCardinality(String),
    `action` LowCardinality(String),
    `reason` LowCardinality(String),
    `detail` String CODEC(ZSTD(1)),
    `record_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `payload` String CODEC(ZSTD(1)),
    `payload_bytes` Int64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, partition, offset, model, field)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS decisions
(
    `alert_id` String,
    `sequence` Int64,
    `receiver` LowCardinality(String),
    `route` String CODEC(ZSTD(1)),
    `at_ms` Int64,
    `why` LowCardinality(String),
    `detail` String CODEC(ZSTD(1)),
    `silence` String DEFAULT if(why = 'silenced', extract(detail, '^by silence ([0-9A-Za-z_.-]+)'), '') CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (alert_id, sequence, receiver, route, at_ms)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS deployments
(
    `id` String,
    `updated_ms` Int64,
    `at_ms` Int64,
    `name` String,
    `version` String,
    `models` Array(String),
    `topics` Array(String),
    `labels` String,
    `link` String,
    `created_by` String
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS drifts_1h
(
    `model` LowCardinality(String),
    `hour_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `signals` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `segments` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `versions` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `detectors` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `window_ends_ms` Array(Int64) CODEC(ZSTD(1)),
    `effects` Array(Float64) CODEC(ZSTD(1)),
    `min_effects` Array(Float64) CODEC(ZSTD(1)),
    `refreshed_ms` Int64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(refreshed_ms)
PARTITION BY toYear(fromUnixTimestamp64Milli(hour_ms))
ORDER BY (model, hour_ms)
SETTINGS index_granularity = 256, min_bytes_for_wide_part = 1073741824, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, min_age_to_force_merge_seconds = 21600;

CREATE TABLE IF NOT EXISTS epochs
(
    `topic` LowCardinality(String),
    `partition` Int64,
    `model` LowCardinality(String),
    `from_offset` Int64,
    `config` String,
    `newest_ms` Int64,
    `closed_ms` Int64,
    `number` Int64,
    `reads` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(number)
ORDER BY (topic, partition, model, from_offset)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS erasure_keys
(
    `at_ms` Int64,
    `key` String
)
ENGINE = ReplacingMergeTree
ORDER BY (at_ms, key)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS erasures
(
    `subject_hash` String,
    `model` LowCardinality(String),
    `at_ms` Int64,
    `until_ms` Int64,
    `state` LowCardinality(String),
    `fields` Array(String),
    `report` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (subject_hash, model, at_ms)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS events
(
    `model` LowCardinality(String),
    `event_ms` Int64 CODEC(Delta(8), ZSTD(1)),
    `topic` LowCardinality(String),
    `partition` Int64 CODEC(T64, ZSTD(1)),
    `offset` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `record_ms` Int64 CODEC(Delta(8), ZSTD(1)),
    `version` LowCardinality(String),
    `id` String CODEC(ZSTD(1)),
    `subject` String CODEC(ZSTD(1)),
    `fields` String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
PARTITION BY toMonday(fromUnixTimestamp64Milli(event_ms))
ORDER BY (model, event_ms, topic, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS expectations
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    `from_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `window_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `windows` Int64 CODEC(T64, ZSTD(1)),
    `windows_needed` Int64 CODEC(T64, ZSTD(1)),
    `days` Int64 CODEC(T64, ZSTD(1)),
    `days_needed` Int64 CODEC(T64, ZSTD(1)),
    `threshold` Float64 CODEC(ZSTD(1)),
    `day_threshold` Float64 CODEC(ZSTD(1)),
    `contrasts` String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(from_ms))
ORDER BY (model, signal, segment, version, from_ms)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS fillings
(
    `origin` String,
    `number` Int64,
    `is_done` Int64
)
ENGINE = ReplacingMergeTree(number)
ORDER BY origin
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS findings
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `version` LowCardinality(String),
    `detector` LowCardinality(String),
    `topic` LowCardinality(String),
    `partition` Int64 CODEC(T64, ZSTD(1)),
    `offset` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `event_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `value` Float64 CODEC(ZSTD(1)),
    `score` Float64 CODEC(ZSTD(1)),
    `status` LowCardinality(String),
    `level` Float64 DEFAULT nan CODEC(ZSTD(1)),
    `segment` LowCardinality(String)
)
ENGINE = ReplacingMergeTree
PRIMARY KEY (model, signal, version, detector, topic, partition, offset)
ORDER BY (model, signal, version, detector, topic, partition, offset, segment)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS freshness
(
    `model` LowCardinality(String),
    `kind` LowCardinality(String),
    `topic` LowCardinality(String),
    `partition` Int64,
    `signal` LowCardinality(String),
    `last_ms` Int64,
    `silent_ms` Int64,
    `allowed_ms` Int64,
    `standing` LowCardinality(String),
    `number` Int64,
    `state` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(number)
ORDER BY (model, kind, topic, partition, signal)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS freshness_alerts
(
    `model` LowCardinality(String),
    `alert_id` String,
    `sequence` Int64,
    `state` LowCardinality(String),
    `at_ms` Int64,
    `starts_ms` Int64,
    `ends_ms` Int64,
    `version` LowCardinality(String),
    `segment` LowCardinality(String),
    `severity` LowCardinality(String),
    `title` String CODEC(ZSTD(1)),
    `labels` String CODEC(ZSTD(1)),
    `signals` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (model, alert_id, sequence)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS gaps
(
    `model` LowCardinality(String),
    `topic` LowCardinality(String),
    `partition` Int64,
    `first_offset` Int64,
    `next_offset` Int64,
    `from_ms` Int64,
    `to_ms` Int64
)
ENGINE = ReplacingMergeTree
ORDER BY (model, topic, partition, first_offset)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS horizons
(
    `model` LowCardinality(String),
    `from_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `to_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `partitions` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `counted_ms` Array(Int64) CODEC(ZSTD(1)),
    `is_first` Int64
)
ENGINE = ReplacingMergeTree(to_ms)
ORDER BY (model, from_ms)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS identity
(
    `id` String
)
ENGINE = ReplacingMergeTree
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS incident_alerts
(
    `alert_id` String,
    `incident` String,
    `fired_ms` Int64
)
ENGINE = ReplacingMergeTree
ORDER BY alert_id
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS job_pauses
(
    `job` LowCardinality(String),
    `updated_ms` Int64,
    `is_paused` Int64,
    `since_ms` Int64,
    `created_by` String,
    `reason` String
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY job
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS job_runs
(
    `started_ms` Int64 CODEC(Delta(8), ZSTD(1)),
    `job` LowCardinality(String),
    `instance` LowCardinality(String),
    `ended_ms` Int64 CODEC(Delta(8), ZSTD(1)),
    `outcome` LowCardinality(String),
    `reason` String CODEC(ZSTD(1)),
    `missed` Int64 CODEC(T64, ZSTD(1)),
    `failures` Int64 CODEC(T64, ZSTD(1)),
    `asked_ms` Int64 CODEC(T64, ZSTD(1)),
    `asked_by` String
)
ENGINE = ReplacingMergeTree(ended_ms)
ORDER BY (started_ms, job, instance)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS label_progress
(
    `model` LowCardinality(String),
    `topic` LowCardinality(String),
    `partition` Int64,
    `closed_ms` Int64,
    `newest_ms` Int64,
    `next_offset` Int64
)
ENGINE = ReplacingMergeTree(next_offset)
ORDER BY (model, topic, partition)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS labels
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `event_ms` Int64 CODEC(Delta(8), ZSTD(1)),
    `topic` LowCardinality(String),
    `partition` Int64 CODEC(T64, ZSTD(1)),
    `offset` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `id` String CODEC(ZSTD(1)),
    `subject` String CODEC(ZSTD(1)),
    `value` Float64 CODEC(ZSTD(1)),
    `label` LowCardinality(String),
    `known_ms` Int64 DEFAULT event_ms CODEC(Delta(8), ZSTD(1)),
    `retracted` Int64 DEFAULT 0 CODEC(T64, ZSTD(1)),
    `id_digest` Int64 DEFAULT reinterpretAsInt64(murmurHash2_64(id))
)
ENGINE = ReplacingMergeTree
PARTITION BY toMonday(fromUnixTimestamp64Milli(event_ms))
ORDER BY (model, signal, event_ms, topic, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS latest
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    `detector` LowCardinality(String),
    `window_end_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `window_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `statistic` Float64 CODEC(ZSTD(1)),
    `effect` Float64 CODEC(ZSTD(1)),
    `min_effect` Float64 CODEC(ZSTD(1)),
    `p_value` Float64 CODEC(ZSTD(1)),
    `surprise` Float64 CODEC(ZSTD(1)),
    `surprise_limit` Float64 CODEC(ZSTD(1)),
    `status` LowCardinality(String),
    `n` Int64 CODEC(T64, ZSTD(1)),
    `baseline_n` Int64 CODEC(T64, ZSTD(1)),
    `baseline_from_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `baseline_to_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `idle` String CODEC(ZSTD(1)),
    `detail` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(window_end_ms)
ORDER BY (model, signal, segment, version, detector)
SETTINGS index_granularity = 1024, min_bytes_for_wide_part = 1073741824, non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS marks
(
    `id` String,
    `updated_ms` Int64,
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    `says` LowCardinality(String),
    `from_ms` Int64,
    `to_ms` Int64,
    `effective_ms` Int64,
    `alert_id` String,
    `reason` String,
    `created_by` String
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS notifications
(
    `alert_id` String,
    `sequence` Int64,
    `receiver` LowCardinality(String),
    `outcome` LowCardinality(String),
    `reason` String CODEC(ZSTD(1)),
    `attempts` Int64,
    `at_ms` Int64
)
ENGINE = ReplacingMergeTree
ORDER BY (alert_id, sequence, receiver)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS panes
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    `pane_start_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `late_at_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `topic` LowCardinality(String),
    `partition` Int64 CODEC(T64, ZSTD(1)),
    `pane_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `layout` LowCardinality(String),
    `n` Int64 CODEC(T64, ZSTD(1)),
    `missing` Int64 CODEC(T64, ZSTD(1)),
    `invalid` Int64 CODEC(T64, ZSTD(1)),
    `out_of_range` Int64 CODEC(T64, ZSTD(1)),
    `cells` Array(Int64) CODEC(T64, ZSTD(1)),
    `counts` Array(Int64) CODEC(T64, ZSTD(1)),
    `names` Array(String) CODEC(ZSTD(1)),
    `other` Int64 CODEC(T64, ZSTD(1)),
    `sum_q` Int64 CODEC(T64, ZSTD(1)),
    `sum_q2` Int64 CODEC(T64, ZSTD(1)),
    `min` Float64 CODEC(ZSTD(1)),
    `max` Float64 CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(pane_start_ms))
ORDER BY (model, intDiv(pane_start_ms, 300000), signal, segment, version, pane_start_ms, late_at_ms, topic, partition)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS panes_1h
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    `pane_start_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `late` Int64 CODEC(T64, ZSTD(1)),
    `layout` LowCardinality(String),
    `pane_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `n` Int64 CODEC(T64, ZSTD(1)),
    `missing` Int64 CODEC(T64, ZSTD(1)),
    `invalid` Int64 CODEC(T64, ZSTD(1)),
    `out_of_range` Int64 CODEC(T64, ZSTD(1)),
    `cells` Array(Int64) CODEC(T64, ZSTD(1)),
    `counts` Array(Int64) CODEC(T64, ZSTD(1)),
    `names` Array(String) CODEC(ZSTD(1)),
    `other` Int64 CODEC(T64, ZSTD(1)),
    `sum_q` Int64 CODEC(T64, ZSTD(1)),
    `sum_q2` Int64 CODEC(T64, ZSTD(1)),
    `min` Float64 CODEC(ZSTD(1)),
    `max` Float64 CODEC(ZSTD(1)),
    `refreshed_ms` Int64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(refreshed_ms)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(pane_start_ms))
ORDER BY (model, intDiv(pane_start_ms, 604800000), signal, segment, version, pane_start_ms, late, layout)
SETTINGS index_granularity = 256, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS panes_5m
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    `pane_start_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `late` Int64 CODEC(T64, ZSTD(1)),
    `layout` LowCardinality(String),
    `pane_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `n` Int64 CODEC(T64, ZSTD(1)),
    `missing` Int64 CODEC(T64, ZSTD(1)),
    `invalid` Int64 CODEC(T64, ZSTD(1)),
    `out_of_range` Int64 CODEC(T64, ZSTD(1)),
    `cells` Array(Int64) CODEC(T64, ZSTD(1)),
    `counts` Array(Int64) CODEC(T64, ZSTD(1)),
    `names` Array(String) CODEC(ZSTD(1)),
    `other` Int64 CODEC(T64, ZSTD(1)),
    `sum_q` Int64 CODEC(T64, ZSTD(1)),
    `sum_q2` Int64 CODEC(T64, ZSTD(1)),
    `min` Float64 CODEC(ZSTD(1)),
    `max` Float64 CODEC(ZSTD(1)),
    `refreshed_ms` Int64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(refreshed_ms)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(pane_start_ms))
ORDER BY (model, intDiv(pane_start_ms, 86400000), signal, segment, version, pane_start_ms, late, layout)
SETTINGS index_granularity = 256, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS partitions
(
    `topic` LowCardinality(String),
    `partition` Int64,
    `idle` Int64,
    `next_offset` Int64
)
ENGINE = ReplacingMergeTree(next_offset)
ORDER BY (topic, partition)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS performance
(
    `model` LowCardinality(String),
    `hour_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `age_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `version` LowCardinality(String),
    `segment` LowCardinality(String),
    `scheme` LowCardinality(String),
    `predictions` Int64 CODEC(T64, ZSTD(1)),
    `labelled` Int64 CODEC(T64, ZSTD(1)),
    `classes` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `class_predictions` Array(Int64) CODEC(T64, ZSTD(1)),
    `class_labelled` Array(Int64) CODEC(T64, ZSTD(1)),
    `delay_hours` Array(Int64) CODEC(T64, ZSTD(1)),
    `delay_labels` Array(Int64) CODEC(T64, ZSTD(1)),
    `keys` Array(Int64) CODEC(T64, ZSTD(1)),
    `sums` Array(Int64) CODEC(ZSTD(1)),
    `true_classes` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `predicted_classes` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `class_weights` Array(Int64) CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(hour_ms))
ORDER BY (model, hour_ms, age_ms, version, segment)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS performance_alerts
(
    `model` LowCardinality(String),
    `alert_id` String,
    `sequence` Int64,
    `state` LowCardinality(String),
    `at_ms` Int64,
    `starts_ms` Int64,
    `ends_ms` Int64,
    `version` LowCardinality(String),
    `segment` LowCardinality(String),
    `severity` LowCardinality(String),
    `title` String CODEC(ZSTD(1)),
    `labels` String CODEC(ZSTD(1)),
    `signals` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (model, alert_id, sequence)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS performance_findings
(
    `model` LowCardinality(String),
    `hour_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `version` LowCardinality(String),
    `segment` LowCardinality(String),
    `layout` LowCardinality(String),
    `n` Int64 CODEC(T64, ZSTD(1)),
    `names` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `counts` Array(Int64) CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(hour_ms))
ORDER BY (model, hour_ms, version, segment)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS performance_horizons
(
    `model` LowCardinality(String),
    `at_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `partitions` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `counted_ms` Array(Int64) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (model, at_ms)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS performance_progress
(
    `model` LowCardinality(String),
    `number` Int64,
    `config` String,
    `judged_ms` Int64,
    `partitions` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `offsets` Array(Int64) CODEC(ZSTD(1)),
    `hours_ms` Array(Int64) CODEC(ZSTD(1)),
    `since_ms` Array(Int64) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(number)
ORDER BY model
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS posted
(
    `fingerprint` String,
    `position` Int64,
    `labels` String,
    `annotations` String,
    `starts_ms` Int64,
    `ends_ms` Int64,
    `updated_ms` Int64,
    `has_timeout` Int64,
    `link` String
)
ENGINE = ReplacingMergeTree(position)
ORDER BY fingerprint
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS predicted
(
    `model` LowCardinality(String),
    `event_ms` Int64 CODEC(Delta(8), ZSTD(1)),
    `topic` LowCardinality(String),
    `partition` Int64 CODEC(T64, ZSTD(1)),
    `offset` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `known_ms` Int64 CODEC(Delta(8), ZSTD(1)),
    `id_digest` Int64,
    `version` LowCardinality(String),
    `segments` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `subject` String CODEC(ZSTD(1)),
    `value` Float64 CODEC(ZSTD(1)),
    `label` LowCardinality(String),
    `naive_value` Float64 DEFAULT nan CODEC(ZSTD(1)),
    `naive_label` LowCardinality(String) DEFAULT '',
    `low` Float64 DEFAULT nan CODEC(ZSTD(1)),
    `high` Float64 DEFAULT nan CODEC(ZSTD(1)),
    INDEX by_digest id_digest TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toMonday(fromUnixTimestamp64Milli(event_ms))
ORDER BY (model, event_ms, topic, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS predictions
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `event_ms` Int64 CODEC(Delta(8), ZSTD(1)),
    `topic` LowCardinality(String),
    `partition` Int64 CODEC(T64, ZSTD(1)),
    `offset` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `version` LowCardinality(String),
    `segments` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `id` String CODEC(ZSTD(1)),
    `subject` String CODEC(ZSTD(1)),
    `value` Float64 CODEC(ZSTD(1)),
    `label` LowCardinality(String),
    INDEX by_id id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toMonday(fromUnixTimestamp64Milli(event_ms))
ORDER BY (model, signal, event_ms, topic, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS progress
(
    `model` LowCardinality(String),
    `topic` LowCardinality(String),
    `partition` Int64,
    `closed_ms` Int64,
    `newest_ms` Int64,
    `next_offset` Int64
)
ENGINE = ReplacingMergeTree(next_offset)
ORDER BY (model, topic, partition)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS pulses
(
    `stage` LowCardinality(String),
    `number` Int64
)
ENGINE = ReplacingMergeTree(number)
ORDER BY stage
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS retries
(
    `topic` LowCardinality(String),
    `partition` Int64 CODEC(T64, ZSTD(1)),
    `offset` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `attempt` Int64,
    `at_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `to_partition` Int64 CODEC(T64, ZSTD(1)),
    `to_offset` Int64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, partition, offset, attempt)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS rollout_strata
(
    `model` LowCardinality(String),
    `rollout` String,
    `end_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `signal` LowCardinality(String),
    `candidate_n` Int64 CODEC(T64, ZSTD(1)),
    `candidate_mean` Float64 CODEC(ZSTD(1)),
    `candidate_squares` Float64 CODEC(ZSTD(1)),
    `champion_n` Int64 CODEC(T64, ZSTD(1)),
    `champion_mean` Float64 CODEC(ZSTD(1)),
    `champion_squares` Float64 CODEC(ZSTD(1)),
    `verdict` LowCardinality(String)
)
ENGINE = ReplacingMergeTree
ORDER BY (model, rollout, end_ms, signal)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS rollouts
(
    `id` String,
    `updated_ms` Int64,
    `created_ms` Int64,
    `model` LowCardinality(String),
    `candidate` LowCardinality(String),
    `champion` LowCardinality(String),
    `metrics` String CODEC(ZSTD(1)),
    `level` Float64 CODEC(ZSTD(1)),
    `lasts_ms` Int64,
    `from_ms` Int64,
    `stratum_ms` Int64,
    `created_by` String,
    `reason` String,
    `stopped_ms` Int64,
    `ends_ms` Int64,
    `stopped_by` String,
    `stop_reason` String,
    `notified_ms` Int64
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS schema_migrations
(
    `version` Int64,
    `name` String
)
ENGINE = ReplacingMergeTree
ORDER BY version
SETTINGS index_granularity = 8192;

CREATE TABLE IF NOT EXISTS scores
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    `detector` LowCardinality(String),
    `window_end_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `window_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `statistic` Float64 CODEC(ZSTD(1)),
    `effect` Float64 CODEC(ZSTD(1)),
    `min_effect` Float64 CODEC(ZSTD(1)),
    `p_value` Float64 CODEC(ZSTD(1)),
    `surprise` Float64 CODEC(ZSTD(1)),
    `surprise_limit` Float64 CODEC(ZSTD(1)),
    `status` LowCardinality(String),
    `n` Int64 CODEC(T64, ZSTD(1)),
    `baseline_n` Int64 CODEC(T64, ZSTD(1)),
    `baseline_from_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `baseline_to_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `idle` String CODEC(ZSTD(1)),
    `detail` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(window_end_ms))
ORDER BY (model, intDiv(window_end_ms, 21600000), signal, segment, version, detector, window_end_ms)
SETTINGS index_granularity = 1024, min_bytes_for_wide_part = 1073741824, non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS scores_1d
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    `detector` LowCardinality(String),
    `bucket_end_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `windows` Int64 CODEC(T64, ZSTD(1)),
    `events` Int64 CODEC(T64, ZSTD(1)),
    `ok` Int64 CODEC(T64, ZSTD(1)),
    `warning` Int64 CODEC(T64, ZSTD(1)),
    `drift` Int64 CODEC(T64, ZSTD(1)),
    `no_data` Int64 CODEC(T64, ZSTD(1)),
    `learning` Int64 CODEC(T64, ZSTD(1)),
    `measured` Int64 CODEC(T64, ZSTD(1)),
    `statistic_min` Float64 CODEC(ZSTD(1)),
    `statistic_max` Float64 CODEC(ZSTD(1)),
    `places` Array(Int64) CODEC(T64, ZSTD(1)),
    `digits` Array(Int64) CODEC(ZSTD(1)),
    `severity` Float64 CODEC(ZSTD(1)),
    `worst_window_end_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `worst_window_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `worst_statistic` Float64 CODEC(ZSTD(1)),
    `worst_effect` Float64 CODEC(ZSTD(1)),
    `worst_min_effect` Float64 CODEC(ZSTD(1)),
    `worst_p_value` Float64 CODEC(ZSTD(1)),
    `worst_surprise` Float64 CODEC(ZSTD(1)),
    `worst_surprise_limit` Float64 CODEC(ZSTD(1)),
    `worst_status` LowCardinality(String),
    `worst_n` Int64 CODEC(T64, ZSTD(1)),
    `worst_baseline_n` Int64 CODEC(T64, ZSTD(1)),
    `worst_baseline_from_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `worst_baseline_to_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `worst_idle` String CODEC(ZSTD(1)),
    `worst_detail` String CODEC(ZSTD(1)),
    `refreshed_ms` Int64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(refreshed_ms)
PARTITION BY toYear(fromUnixTimestamp64Milli(bucket_end_ms))
ORDER BY (model, signal, segment, version, detector, bucket_end_ms)
SETTINGS index_granularity = 1024, min_bytes_for_wide_part = 1073741824, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, min_age_to_force_merge_seconds = 21600;

CREATE TABLE IF NOT EXISTS scores_1h
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    `detector` LowCardinality(String),
    `bucket_end_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `windows` Int64 CODEC(T64, ZSTD(1)),
    `events` Int64 CODEC(T64, ZSTD(1)),
    `ok` Int64 CODEC(T64, ZSTD(1)),
    `warning` Int64 CODEC(T64, ZSTD(1)),
    `drift` Int64 CODEC(T64, ZSTD(1)),
    `no_data` Int64 CODEC(T64, ZSTD(1)),
    `learning` Int64 CODEC(T64, ZSTD(1)),
    `measured` Int64 CODEC(T64, ZSTD(1)),
    `statistic_min` Float64 CODEC(ZSTD(1)),
    `statistic_max` Float64 CODEC(ZSTD(1)),
    `places` Array(Int64) CODEC(T64, ZSTD(1)),
    `digits` Array(Int64) CODEC(ZSTD(1)),
    `severity` Float64 CODEC(ZSTD(1)),
    `worst_window_end_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `worst_window_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `worst_statistic` Float64 CODEC(ZSTD(1)),
    `worst_effect` Float64 CODEC(ZSTD(1)),
    `worst_min_effect` Float64 CODEC(ZSTD(1)),
    `worst_p_value` Float64 CODEC(ZSTD(1)),
    `worst_surprise` Float64 CODEC(ZSTD(1)),
    `worst_surprise_limit` Float64 CODEC(ZSTD(1)),
    `worst_status` LowCardinality(String),
    `worst_n` Int64 CODEC(T64, ZSTD(1)),
    `worst_baseline_n` Int64 CODEC(T64, ZSTD(1)),
    `worst_baseline_from_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `worst_baseline_to_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `worst_idle` String CODEC(ZSTD(1)),
    `worst_detail` String CODEC(ZSTD(1)),
    `refreshed_ms` Int64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(refreshed_ms)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(bucket_end_ms))
ORDER BY (model, intDiv(bucket_end_ms, 604800000), signal, segment, version, detector, bucket_end_ms)
SETTINGS index_granularity = 512, min_bytes_for_wide_part = 1073741824, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, min_age_to_force_merge_seconds = 21600;

CREATE TABLE IF NOT EXISTS set_clocks
(
    `id` String,
    `updated_ms` Int64,
    `model` LowCardinality(String),
    `topic` LowCardinality(String),
    `partition` Int64,
    `to_ms` Int64,
    `created_by` String,
    `reason` String,
    `from_offset` Int64,
    `newest_ms` Int64
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS silences
(
    `id` String,
    `updated_ms` Int64,
    `starts_ms` Int64,
    `ends_ms` Int64,
    `matchers` String,
    `created_by` String,
    `comment` String,
    `intervals` String DEFAULT '',
    `tells` String DEFAULT ''
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS subscriptions
(
    `id` String,
    `updated_ms` Int64,
    `created_ms` Int64,
    `ended` Int64,
    `matchers` String,
    `receiver` String,
    `address` String,
    `group_by` String,
    `group_wait_ms` Int64,
    `group_interval_ms` Int64,
    `repeat_interval_ms` Int64,
    `created_by` String,
    `comment` String
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS token_uses
(
    `id` String,
    `used_ms` Int64
)
ENGINE = ReplacingMergeTree(used_ms)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS tokens
(
    `id` String,
    `updated_ms` Int64,
    `name` String,
    `role` LowCardinality(String),
    `digest` String,
    `prefix` String,
    `created_by` String,
    `created_ms` Int64,
    `expires_ms` Int64,
    `revoked_ms` Int64,
    `revoked_by` String,
    `namespaces` Array(String)
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS touched
(
    `source` LowCardinality(String),
    `model` LowCardinality(String),
    `hour_ms` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `touched_ms` SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
    `refreshed_ms` SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
ORDER BY (source, model, hour_ms)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

CREATE TABLE IF NOT EXISTS unregistered_models
(
    `model` LowCardinality(String),
    `topic` LowCardinality(String),
    `partition` Int64,
    `name` String,
    `reason` LowCardinality(String),
    `messages` Int64,
    `first_offset` Int64,
    `last_offset` Int64,
    `first_ms` Int64,
    `last_ms` Int64
)
ENGINE = ReplacingMergeTree(last_offset)
ORDER BY (model, topic, partition, name)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS versions
(
    `model` LowCardinality(String),
    `version` String,
    `first_ms` Int64
)
ENGINE = ReplacingMergeTree
ORDER BY (model, version)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE MATERIALIZED VIEW IF NOT EXISTS latest_from_scores TO latest
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    `detector` LowCardinality(String),
    `window_end_ms` Int64,
    `window_ms` Int64,
    `statistic` Float64,
    `effect` Float64,
    `min_effect` Float64,
    `p_value` Float64,
    `surprise` Float64,
    `surprise_limit` Float64,
    `status` LowCardinality(String),
    `n` Int64,
    `baseline_n` Int64,
    `baseline_from_ms` Int64,
    `baseline_to_ms` Int64,
    `idle` String,
    `detail` String
)
AS SELECT
    model,
    signal,
    segment,
    version,
    detector,
    window_end_ms,
    window_ms,
    statistic,
    effect,
    min_effect,
    p_value,
    surprise,
    surprise_limit,
    status,
    n,
    baseline_n,
    baseline_from_ms,
    baseline_to_ms,
    idle,
    detail
FROM scores;

CREATE MATERIALIZED VIEW IF NOT EXISTS touched_by_panes TO touched
(
    `source` String,
    `model` LowCardinality(String),
    `hour_ms` Int64,
    `touched_ms` Int64,
    `refreshed_ms` Int64
)
AS SELECT DISTINCT
    'panes' AS source,
    model,
    pane_start_ms - positiveModulo(pane_start_ms, 3600000) AS hour_ms,
    toUnixTimestamp64Milli(now64(3)) AS touched_ms,
    toInt64(0) AS refreshed_ms
FROM panes;

CREATE MATERIALIZED VIEW IF NOT EXISTS touched_by_scores TO touched
(
    `source` String,
    `model` LowCardinality(String),
    `hour_ms` Int64,
    `touched_ms` Int64,
    `refreshed_ms` Int64
)
AS SELECT DISTINCT
    'scores' AS source,
    model,
    (window_end_ms - 1) - positiveModulo(window_end_ms - 1, 3600000) AS hour_ms,
    toUnixTimestamp64Milli(now64(3)) AS touched_ms,
    toInt64(0) AS refreshed_ms
FROM scores;

CREATE VIEW IF NOT EXISTS alert_states
(
    `model` LowCardinality(String),
    `alert_id` String,
    `standing` String,
    `severity` LowCardinality(String),
    `started` DateTime64(3, 'UTC'),
    `ended` Nullable(DateTime64(3, 'UTC')),
    `lasted_s` Nullable(Float64),
    `version` LowCardinality(String),
    `segment` LowCardinality(String),
    `title` String,
    `labels` String,
    `signals` String
)
AS SELECT
    model,
    alert_id,
    if(state = 'updated', 'firing', state) AS standing,
    severity,
    fromUnixTimestamp64Milli(starts_ms, 'UTC') AS started,
    if(ends_ms = 0, NULL, fromUnixTimestamp64Milli(ends_ms, 'UTC')) AS ended,
    if(ends_ms = 0, NULL, (ends_ms - starts_ms) / 1000) AS lasted_s,
    version,
    segment,
    title,
    labels,
    signals
FROM alerts
FINAL
ORDER BY
    model ASC,
    alert_id ASC,
    sequence DESC
LIMIT 1 BY
    model,
    alert_id;

CREATE VIEW IF NOT EXISTS drift_by_day
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    `detector` LowCardinality(String),
    `day` Date,
    `windows` UInt64,
    `drift_windows` UInt64,
    `drift_share` Float64,
    `strength` Float64
)
AS SELECT
    model,
    signal,
    segment,
    version,
    detector,
    toDate(fromUnixTimestamp64Milli(window_end_ms - 1, 'UTC')) AS day,
    count() AS windows,
    countIf(status = 'drift') AS drift_windows,
    drift_windows / windows AS drift_share,
    maxIf(effect / min_effect, status = 'drift') AS strength
FROM scores
FINAL
GROUP BY
    model,
    signal,
    segment,
    version,
    detector,
    day;

CREATE VIEW IF NOT EXISTS drift_history
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    `detector` LowCardinality(String),
    `window_end` DateTime64(3, 'UTC'),
    `window_end_ms` Int64,
    `window_s` Float64,
    `status` LowCardinality(String),
    `strength` Float64,
    `effect` Float64,
    `min_effect` Float64,
    `statistic` Float64,
    `p_value` Float64,
    `surprise` Float64,
    `surprise_limit` Float64,
    `n` Int64,
    `baseline_n` Int64,
    `detail` String
)
AS SELECT
    model,
    signal,
    segment,
    version,
    detector,
    fromUnixTimestamp64Milli(window_end_ms, 'UTC') AS window_end,
    window_end_ms,
    window_ms / 1000 AS window_s,
    status,
    effect / min_effect AS strength,
    effect,
    min_effect,
    statistic,
    p_value,
    surprise,
    surprise_limit,
    n,
    baseline_n,
    detail
FROM scores
FINAL;

CREATE VIEW IF NOT EXISTS drift_now
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    `detector` LowCardinality(String),
    `window_end` DateTime64(3, 'UTC'),
    `window_end_ms` Int64,
    `window_s` Float64,
    `status` LowCardinality(String),
    `strength` Float64,
    `effect` Float64,
    `min_effect` Float64,
    `statistic` Float64,
    `p_value` Float64,
    `surprise` Float64,
    `surprise_limit` Float64,
    `n` Int64,
    `baseline_n` Int64,
    `detail` String
)
AS SELECT
    model,
    signal,
    segment,
    version,
    detector,
    fromUnixTimestamp64Milli(window_end_ms, 'UTC') AS window_end,
    window_end_ms,
    window_ms / 1000 AS window_s,
    status,
    effect / min_effect AS strength,
    effect,
    min_effect,
    statistic,
    p_value,
    surprise,
    surprise_limit,
    n,
    baseline_n,
    detail
FROM latest
FINAL;

CREATE VIEW IF NOT EXISTS finding_history
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `version` LowCardinality(String),
    `segment` LowCardinality(String),
    `detector` LowCardinality(String),
    `event_time` DateTime64(3, 'UTC'),
    `event_ms` Int64,
    `status` LowCardinality(String),
    `value` Float64,
    `score` Float64,
    `level` Float64,
    `topic` LowCardinality(String),
    `partition` Int64,
    `offset` Int64
)
AS SELECT
    model,
    signal,
    version,
    segment,
    detector,
    fromUnixTimestamp64Milli(event_ms, 'UTC') AS event_time,
    event_ms,
    status,
    value,
    score,
    level,
    topic,
    partition,
    offset
FROM findings
FINAL;

CREATE VIEW IF NOT EXISTS labelled_predictions
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `version` LowCardinality(String),
    `segments` Array(LowCardinality(String)),
    `id` String,
    `predicted_ms` Int64,
    `predicted_value` Float64,
    `predicted_label` LowCardinality(String),
    `label_signal` LowCardinality(String),
    `labelled_ms` Int64,
    `value` Float64,
    `label` String
)
AS SELECT
    p.model AS model,
    p.signal AS signal,
    p.version AS version,
    p.segments AS segments,
    p.id AS id,
    p.event_ms AS predicted_ms,
    p.value AS predicted_value,
    p.label AS predicted_label,
    l.signal AS label_signal,
    l.labelled_ms AS labelled_ms,
    l.newest_value AS value,
    l.newest_label AS label
FROM predictions AS p
FINAL
INNER JOIN
(
    SELECT
        model,
        signal,
        id,
        max(event_ms) AS labelled_ms,
        argMax(value, (event_ms, topic, partition, offset)) AS newest_value,
        argMax(label, (event_ms, topic, partition, offset)) AS newest_label
    FROM labels
    FINAL
    WHERE id != ''
    GROUP BY
        model,
        signal,
        id
    HAVING argMax(retracted, (event_ms, topic, partition, offset)) = 0
) AS l ON (p.model = l.model) AND (p.id = l.id);

CREATE VIEW IF NOT EXISTS performance_history
(
    `model` LowCardinality(String),
    `version` LowCardinality(String),
    `segment` LowCardinality(String),
    `hour` DateTime64(3, 'UTC'),
    `hour_ms` Int64,
    `age_ms` Int64,
    `known_after` String,
    `predictions` Int64,
    `labelled` Int64,
    `labelled_share` Float64,
    `weight` Float64,
    `tp` Float64,
    `fp` Float64,
    `fn` Float64,
    `tn` Float64,
    `accuracy` Nullable(Float64)
)
AS SELECT
    model,
    version,
    segment,
    fromUnixTimestamp64Milli(hour_ms, 'UTC') AS hour,
    hour_ms,
    age_ms,
    if(age_ms = 0, 'now', concat(toString(age_ms / 3600000), ' h')) AS known_after,
    predictions,
    labelled,
    labelled / predictions AS labelled_share,
    (sums[indexOf(keys, 8192)]) / 1048576 AS weight,
    (sums[indexOf(keys, 98304)]) / 1048576 AS tp,
    (sums[indexOf(keys, 98305)]) / 1048576 AS fp,
    (sums[indexOf(keys, 98306)]) / 1048576 AS fn,
    (sums[indexOf(keys, 98307)]) / 1048576 AS tn,
    multiIf(startsWith(scheme, 'binary'), (tp + tn) / weight, startsWith(scheme, 'multiclass'), ((sums[indexOf(keys, 49152)]) / 1048576) / weight, NULL) AS accuracy
FROM performance
FINAL;

CREATE VIEW IF NOT EXISTS traffic
(
    `model` LowCardinality(String),
    `signal` LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    `pane_start` DateTime64(3, 'UTC'),
    `pane_start_ms` Int64,
    `present` Int64,
    `absent` Int64,
    `unreadable` Int64,
    `outside` Int64,
    `missing_rate` Float64
)
AS SELECT
    model,
    signal,
    segment,
    version,
    fromUnixTimestamp64Milli(pane_start_ms, 'UTC') AS pane_start,
    pane_start_ms,
    sum(n) AS present,
    sum(missing) AS absent,
    sum(invalid) AS unreadable,
    sum(out_of_range) AS outside,
    absent / ((present + absent) + unreadable) AS missing_rate
FROM panes
FINAL
GROUP BY
    model,
    signal,
    segment,
    version,
    pane_start_ms;
