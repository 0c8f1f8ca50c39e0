-- name: subscription_add
INSERT INTO subscriptions (
    id, workspace_id, api, api_key_id, name, target_url, event_filter, conditions, source, external_ref, secret,
    created_at, updated_at
) VALUES (
    :id, :workspace_id, :api, :api_key_id, :name, :target_url, :event_filter, :conditions, :source, :external_ref, :secret,
    :now, :now
);

-- name: subscription_get
SELECT * FROM subscriptions WHERE id = :id AND workspace_id = :workspace_id AND removed_at IS NULL;

-- name: subscription_to_send
-- Removed ones too: the engine ends what is still waiting for them.
SELECT * FROM subscriptions WHERE id = :id;

-- name: subscription_of_api
SELECT * FROM subscriptions
WHERE workspace_id = :workspace_id AND api = :api AND removed_at IS NULL AND (created_at, id) > (:after_at, :after)
ORDER BY workspace_id, api, created_at, id
LIMIT :n;

-- name: subscription_receiving
-- Those that an event published now can reach.
-- scans: all of them, after each change, because each event is matched against all of them
SELECT * FROM subscriptions
WHERE workspace_id = :workspace_id AND removed_at IS NULL AND paused_at IS NULL AND disabled_at IS NULL
ORDER BY workspace_id, id;

-- name: subscription_remove
-- The signing secret goes at once; the row stays, because the delivery log still names it.
UPDATE subscriptions
SET removed_at = :now, updated_at = :now, secret = '', previous_secrets = NULL
WHERE id = :id AND workspace_id = :workspace_id AND api = :api AND removed_at IS NULL
RETURNING *;

-- name: subscription_of_key
-- scans: the hooks of one key, all of which end with it
SELECT * FROM subscriptions
WHERE api_key_id = :api_key_id AND api = :api AND removed_at IS NULL;

-- name: subscription_failed
UPDATE subscriptions
SET consecutive_failures = consecutive_failures + 1, failing_since = COALESCE(failing_since, :now),
    answering_since = NULL
WHERE id = :id
RETURNING *;

-- name: subscription_answers
UPDATE subscriptions
SET consecutive_failures = 0, failing_since = NULL, answering_since = COALESCE(answering_since, :now)
WHERE id = :id;

-- name: subscription_disable
UPDATE subscriptions SET disabled_at = :now, disabled_reason = :reason, updated_at = :now
WHERE id = :id AND disabled_at IS NULL AND removed_at IS NULL
RETURNING workspace_id;

-- name: subscription_pause
UPDATE subscriptions SET paused_at = :now, updated_at = :now
WHERE id = :id AND paused_at IS NULL AND removed_at IS NULL
RETURNING workspace_id;

-- name: subscription_standings
-- scans: the subscriptions, for the metrics, as delivery_count_pending does
SELECT api,
    SUM(CASE WHEN disabled_at IS NULL AND paused_at IS NULL THEN 1 ELSE 0 END) AS active,
    SUM(CASE WHEN disabled_at IS NULL AND paused_at IS NOT NULL THEN 1 ELSE 0 END) AS paused,
    SUM(CASE WHEN disabled_at IS NOT NULL THEN 1 ELSE 0 END) AS disabled
FROM subscriptions WHERE removed_at IS NULL
GROUP BY api;

-- name: subscription_sealed
-- Those of every state but removed: a paused or disabled one may be resumed.
SELECT id, secret, previous_secrets FROM subscriptions
WHERE id > :after AND removed_at IS NULL
ORDER BY id LIMIT :n;

-- name: subscription_reseal
-- By its text, wherever it stands now: a rotation may have moved it meanwhile, a removal may have taken it away.
UPDATE subscriptions
SET secret = CASE WHEN secret = :former THEN :sealed ELSE secret END,
    previous_secrets = REPLACE(previous_secrets, :former, :sealed)
WHERE id = :id;

-- name: subscription_update
UPDATE subscriptions SET name = :name, target_url = :target_url, event_filter = :event_filter, updated_at = :now
WHERE id = :id AND workspace_id = :workspace_id
RETURNING *;

-- name: subscription_pause_asked
UPDATE subscriptions SET paused_at = COALESCE(paused_at, :now), updated_at = :now
WHERE id = :id AND workspace_id = :workspace_id
RETURNING *;

-- name: subscription_resume
-- A clean slate, also for one that its receiver ended with 410.
UPDATE subscriptions
SET paused_at = NULL, disabled_at = NULL, disabled_reason = NULL, consecutive_failures = 0, failing_since = NULL,
    updated_at = :now
WHERE id = :id AND workspace_id = :workspace_id
RETURNING *;

-- name: subscription_rotate
UPDATE subscriptions
SET secret = :secret, previous_secrets = :previous_secrets, secret_rotated_at = :now, updated_at = :now
WHERE id = :id AND secret = :was AND removed_at IS NULL
RETURNING *;

-- name: subscription_previous_secrets
-- scans: those that were rotated within the grace, for the chore that ends it
SELECT id, previous_secrets FROM subscriptions WHERE previous_secrets IS NOT NULL;

-- name: subscription_keep_previous_secrets
UPDATE subscriptions SET previous_secrets = :previous_secrets WHERE id = :id AND previous_secrets = :were;
