-- What receivers were told about groups whose alerts are over grows old; what is of use is written anew every day. No
-- other row of the table has an age: its position may be an offset.
ALTER TABLE checkpoints MODIFY TTL if(stage = 'told', toDateTime(intDiv(position, 1000)) + toIntervalDay(30), toDateTime(4294967295));
