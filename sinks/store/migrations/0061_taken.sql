-- A process says again each day by what it goes: what has not been said for a month is of one that is gone.
ALTER TABLE configurations_taken MODIFY TTL toDateTime(intDiv(at_ms, 1000)) + toIntervalDay(30);
