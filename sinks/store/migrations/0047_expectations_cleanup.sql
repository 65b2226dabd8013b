-- What an erasure leaves of expectations on the disk goes within seconds, as for the tables of 0010 and 0011.
ALTER TABLE expectations MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
