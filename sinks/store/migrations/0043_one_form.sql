-- Until 25 November 2026 migrations that had landed were still edited, renumbered, and added below others. This brings
-- stores from before to the form that 0001 to 0042 give a new one; where they have it, nothing changes. Two things no
-- statement can change in place stay as they are in stores from before 525bdb8: scores sorted by stretches of a day, and
-- granules of 1,024 rows in scores_1h. Their answers are the same.
--
-- Since when an erasure holds: in 0011 from 27de250 on.
ALTER TABLE erasures ADD COLUMN IF NOT EXISTS until_ms Int64 AFTER at_ms;

-- What an erasure leaves on the disk goes within seconds: in 0010 and 0011 bit by bit, and lost by tables that 0002 made
-- anew in a store that had 0011 already.
ALTER TABLE events MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE predictions MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE labels MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE erasures MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE erasure_keys MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE panes MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE panes_5m MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE panes_1h MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE scores MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE scores_1h MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE scores_1d MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE latest MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE notifications MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE progress MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE touched MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- Scores with all columns of a granule side by side: in 0002, 0003 and 0005 from 3c44f15 on.
ALTER TABLE scores MODIFY SETTING min_bytes_for_wide_part = 1073741824;
ALTER TABLE latest MODIFY SETTING min_bytes_for_wide_part = 1073741824;
ALTER TABLE scores_1h MODIFY SETTING min_bytes_for_wide_part = 1073741824;
ALTER TABLE scores_1d MODIFY SETTING min_bytes_for_wide_part = 1073741824;

-- As in 0042: a store that 88cf1be had taken for another has 0042 already and gets 0040, which says less, only now.
ALTER TABLE checkpoints MODIFY TTL if(stage IN ('told', 'flapping'), toDateTime(intDiv(position, 1000)) + toIntervalDay(30), toDateTime(4294967295));
