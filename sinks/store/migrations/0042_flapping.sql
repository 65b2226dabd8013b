-- How often alerts began and ended grows old like what receivers were told: the position is the time of the last change.
ALTER TABLE checkpoints MODIFY TTL if(stage IN ('told', 'flapping'), toDateTime(intDiv(position, 1000)) + toIntervalDay(30), toDateTime(4294967295));
