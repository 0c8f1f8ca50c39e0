-- What goes with a workspace: each removal_of_… empties a table of it. What hangs on rows of another table goes before them.
-- All of it is wanted: the statements that are said to scan go through what one workspace has.

-- name: removal_subscriptions
-- scans: what one workspace has
-- Those that are removed by it, as they were.
SELECT * FROM subscriptions WHERE workspace_id = :workspace_id AND removed_at IS NULL;

-- name: removal_ends_subscriptions
-- scans: what one workspace has
UPDATE subscriptions
SET removed_at = :now, updated_at = :now, secret = '', previous_secrets = NULL
WHERE workspace_id = :workspace_id AND removed_at IS NULL;

-- name: removal_ends_workspace
-- The name is free at once. An id is nobody's name.
UPDATE workspaces SET deleted_at = :now, name = id, swept_after_ms = NULL WHERE id = :workspace_id;

-- name: removal_of_api_keys
-- scans: what one workspace has
DELETE FROM api_keys WHERE workspace_id = :workspace_id RETURNING revoked_at;

-- name: removal_of_recoveries
-- scans: what one workspace has
DELETE FROM recoveries WHERE workspace_id = :workspace_id;

-- name: removal_of_emails
-- scans: what one workspace has
DELETE FROM emails WHERE workspace_id = :workspace_id;

-- name: removal_of_suppressions
-- scans: what one workspace has
DELETE FROM suppressions WHERE workspace_id = :workspace_id;

-- name: removal_of_consents
-- scans: what one workspace has
DELETE FROM consents WHERE submission_id IN (SELECT id FROM submissions WHERE workspace_id = :workspace_id);

-- name: removal_of_clips
-- scans: what one workspace has
DELETE FROM clips WHERE submission_id IN (SELECT id FROM submissions WHERE workspace_id = :workspace_id);

-- name: removal_of_invitations
-- scans: what one workspace has
DELETE FROM invitations WHERE workspace_id = :workspace_id;

-- name: removal_of_submissions
-- scans: what one workspace has
DELETE FROM submissions WHERE workspace_id = :workspace_id;

-- name: removal_of_scripts
-- scans: what one workspace has
DELETE FROM scripts WHERE collector_id IN (SELECT id FROM collectors WHERE workspace_id = :workspace_id);

-- name: removal_of_collectors
-- scans: what one workspace has
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
-- scans: what one workspace has
DELETE FROM subscriptions WHERE workspace_id = :workspace_id;

-- name: removal_of_workspace
-- scans: what still refers to it, which is nothing when its turn comes
DELETE FROM workspaces WHERE id = :workspace_id;
