-- Who is told that a silence began, and that it is over: names of receivers, as JSON.
ALTER TABLE silences ADD COLUMN IF NOT EXISTS tells String DEFAULT '';
