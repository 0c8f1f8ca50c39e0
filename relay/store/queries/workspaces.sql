-- name: workspace_add
INSERT INTO workspaces (id, name, created_at)
VALUES (:id, :name, :created_at)
ON CONFLICT (name) DO NOTHING
RETURNING *;

-- name: workspace_by_name
SELECT * FROM workspaces WHERE name = :name;

-- name: workspace_get
SELECT * FROM workspaces WHERE id = :id;

-- name: workspace_list
-- scans: every workspace, for the chore that goes through them
SELECT * FROM workspaces ORDER BY created_at, id;

-- name: workspace_overview
-- scans: every workspace, for a command
SELECT
    w.id, w.name, w.created_at,
    (SELECT COUNT(*) FROM api_keys k WHERE k.workspace_id = w.id AND k.revoked_at IS NULL) AS keys,
    (SELECT COUNT(*) FROM subscriptions s WHERE s.workspace_id = w.id AND s.removed_at IS NULL) AS subscriptions
FROM workspaces w
WHERE w.deleted_at IS NULL
ORDER BY w.created_at, w.id;

-- name: workspace_subscriptions_version
SELECT subscriptions_version FROM workspaces WHERE id = :id;

-- name: workspace_subscriptions_changed
-- A random stamp, not a count: a count that was rolled back would come again with other subscriptions behind it.
UPDATE workspaces SET subscriptions_version = :stamp WHERE id = :id;

-- name: api_key_add
INSERT INTO api_keys (id, workspace_id, prefix, key_hash, last4, scopes, label, created_at)
VALUES (:id, :workspace_id, :prefix, :key_hash, :last4, :scopes, :label, :created_at)
ON CONFLICT (key_hash) DO NOTHING
RETURNING *;

-- name: api_key_by_hash
SELECT * FROM api_keys WHERE key_hash = :key_hash;

-- name: api_key_list
-- scans: every key, for a command
SELECT api_keys.*, workspaces.name AS workspace_name
FROM api_keys JOIN workspaces ON workspaces.id = api_keys.workspace_id
ORDER BY api_keys.created_at, api_keys.id;

-- name: api_key_revoke
UPDATE api_keys SET revoked_at = COALESCE(revoked_at, :now) WHERE id = :id RETURNING *;

-- name: api_key_reinstate
-- A bootstrap key is the operator's word: naming it again brings it back with every scope.
UPDATE api_keys SET revoked_at = NULL, scopes = :scopes WHERE key_hash = :key_hash RETURNING *;
