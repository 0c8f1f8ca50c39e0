-- Every secret that a subscription had within the grace of a rotation, not only the last one: a JSON array of
-- [the sealed secret, valid until], oldest first; null when there is none.
ALTER TABLE subscriptions ADD COLUMN previous_secrets TEXT;

UPDATE subscriptions
SET previous_secrets = '[["' || previous_secret || '",' || CAST(previous_secret_until AS TEXT) || ']]'
WHERE previous_secret IS NOT NULL AND previous_secret_until IS NOT NULL;

ALTER TABLE subscriptions DROP COLUMN previous_secret;
ALTER TABLE subscriptions DROP COLUMN previous_secret_until;

-- For the chore that forgets those whose grace has passed.
CREATE INDEX subscriptions_rotated ON subscriptions (id) WHERE previous_secrets IS NOT NULL;
