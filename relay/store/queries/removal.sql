-- What goes with a workspace: each removal_of_… empties a table of it. What hangs on rows of another table goes before them.

-- name: removal_subscriptions
-- Those that are removed by it, as they were.
SELECT * FROM subscriptions WHERE workspace_id = :workspace_id AND removed_at IS NULL;

-- name: removal_ends_subscriptions
UPDATE subscriptions
SET removed_at = :now, updated_at = :now, secret = '', previous_secrets = NULL
WHERE workspace_id = :workspace_id AND removed_at IS NULL;

-- name: removal_ends_workspace
-- The name is free at once. An id is nobody's name.
UPDATE workspaces SET deleted_at = :now, name = id, swept_after_ms = NULL WHERE id = :workspace_id;

-- name: removal_of_api_keys
DELETE FROM api_keys WHERE workspace_id = :workspace_id RETURNING revoked_at;

-- name: removal_of_recoveries
DELETE FROM recoveries WHERE workspace_id = :workspace_id;

-- name: removal_of_emails
DELETE FROM emails WHERE workspace_id = :workspace_id;

-- name: removal_of_suppressions
DELETE FROM suppressions WHERE workspace_id = :workspace_id;

-- name: removal_of_consents
DELETE FROM consents WHERE submission_id IN (SELECT id FROM submissions WHERE workspace_id = :workspace_id);

-- name: removal_of_clips
DELETE FROM clips WHERE submission_id IN (SELECT id FROM submissions WHERE workspace_id = :workspace_id);

-- name: removal_of_invitations
DELETE FROM invitations WHERE workspace_id = :workspace_id;

-- name: removal_of_submissions
DELETE FROM submissions WHERE workspace_id = :workspace_id;

-- name: removal_of_scripts
DELETE FROM scripts WHERE collector_id IN (SELECT id FROM collectors WHERE workspace_id = :workspace_id);

-- name: removal_of_collectors
DELETE FROM collectors WHERE workspace_id = :workspace_id;

-- name: removal_of_idempotency
DELETE FROM idempotency
WHERE (workspace_id, key) IN (
    SELECT workspace_id, key FROM idempotency WHERE workspace_id = :workspace_id ORDER BY workspace_id, key LIMIT :n
)
RETURNING key;

-- name: removal_waiting
SELECT id FROM workspaces WHERE deleted_at <= :before ORDER BY deleted_at;

-- name: removal_of_subscriptions
DELETE FROM subscriptions WHERE workspace_id = :workspace_id;

-- name: removal_of_workspace
DELETE FROM workspaces WHERE id = :workspace_id;
