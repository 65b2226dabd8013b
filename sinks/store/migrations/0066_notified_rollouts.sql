-- With which window the verdict of a rollout by labels is notified, 0 until that is settled.
ALTER TABLE rollouts ADD COLUMN IF NOT EXISTS notified_ms Int64;
