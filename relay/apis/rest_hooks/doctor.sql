-- name: doctor_hooks
SELECT s.*, w.name AS workspace_name
FROM subscriptions s JOIN workspaces w ON w.id = s.workspace_id
WHERE s.api = :api AND s.removed_at IS NULL AND (CAST(:workspace AS TEXT) IS NULL OR w.name = :workspace)
ORDER BY w.name, s.created_at, s.id;

-- name: doctor_success
SELECT id FROM deliveries
WHERE workspace_id = :workspace_id AND subscription_id = :subscription_id AND state = 'success'
LIMIT 1;

-- name: doctor_last_attempt
SELECT a.attempted_at, a.status, a.error_code
FROM deliveries d JOIN attempts a ON a.delivery_id = d.id
WHERE d.workspace_id = :workspace_id AND d.subscription_id = :subscription_id AND d.attempts_made > 0
ORDER BY a.attempted_at DESC, a.number DESC
LIMIT 1;
