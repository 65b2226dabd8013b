-- Roll-ups of scores are read for long spans, and what a read costs goes with the number of parts that the span lies in:
-- a signal's 30 days take 20 ms from the 13 parts that merges by size leave, 8 ms from one part a month (2.5 million rows,
-- chDB 26.9). So parts that are older than six hours are merged, whatever their sizes: a month of 4,000 series, 220 MB, is
-- written anew four times a day at most.
ALTER TABLE scores_1h MODIFY SETTING min_age_to_force_merge_seconds = 21600;

-- The same by the day.
ALTER TABLE scores_1d MODIFY SETTING min_age_to_force_merge_seconds = 21600;

-- The windows in drift.
ALTER TABLE drifts_1h MODIFY SETTING min_age_to_force_merge_seconds = 21600;
