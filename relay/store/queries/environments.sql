-- name: environment_set
UPDATE workspaces SET swept_after_ms = :after_ms WHERE id = :id;

-- name: environment_swept
-- scans: the sandboxes, all of which are wanted
SELECT id, swept_after_ms FROM workspaces WHERE swept_after_ms IS NOT NULL;

-- name: environment_old_subscriptions
SELECT id, api FROM subscriptions
WHERE workspace_id = :workspace_id AND removed_at IS NULL AND created_at < :before
ORDER BY workspace_id, created_at, id
LIMIT :n;
