-- The namespaces to which a token is bound; those that were made before are for all.
ALTER TABLE tokens ADD COLUMN IF NOT EXISTS namespaces Array(String);
