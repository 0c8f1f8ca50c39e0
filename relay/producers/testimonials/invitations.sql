-- name: invitation_add
INSERT INTO invitations (id, workspace_id, submission_id, email_lower, source, created_at)
VALUES (:id, :workspace_id, :submission_id, :email_lower, :source, :now)
ON CONFLICT (workspace_id, email_lower) DO NOTHING
RETURNING *;

-- name: invitation_of_customer
SELECT * FROM invitations WHERE workspace_id = :workspace_id AND email_lower = :email_lower;

-- name: invitation_get
SELECT * FROM invitations WHERE id = :id;

-- name: invitation_revoke
UPDATE invitations SET token_version = token_version + 1, revoked_at = :now
WHERE id = :id AND workspace_id = :workspace_id
RETURNING *;

-- name: script_of_collector
-- scans: the questions of one collector, and sorts them
SELECT prompt FROM scripts WHERE collector_id = :collector_id ORDER BY position, script_key;
