-- name: collector_get
SELECT id, workspace_id, name, intro_text FROM collectors
WHERE id = :id AND workspace_id = :workspace_id AND closed_at IS NULL;

-- name: collector_primary
SELECT id, workspace_id, name, intro_text FROM collectors
WHERE workspace_id = :workspace_id AND primary_since IS NOT NULL;

-- name: collector_add_primary
INSERT INTO collectors (id, workspace_id, name, primary_since, created_at)
VALUES (:id, :workspace_id, :name, :now, :now)
ON CONFLICT (workspace_id) WHERE primary_since IS NOT NULL DO NOTHING;

-- name: collector_add
INSERT INTO collectors (id, workspace_id, name, intro_text, created_at)
VALUES (:id, :workspace_id, :name, :intro_text, :now);

-- name: collector_close
UPDATE collectors SET closed_at = :now
WHERE id = :id AND workspace_id = :workspace_id AND closed_at IS NULL AND primary_since IS NULL
RETURNING id;

-- name: collector_of_submission
SELECT collectors.id, workspace_id, collectors.name, intro_text, workspaces.name AS workspace_name
FROM collectors JOIN workspaces ON workspaces.id = collectors.workspace_id
WHERE collectors.id = :collector_id;
