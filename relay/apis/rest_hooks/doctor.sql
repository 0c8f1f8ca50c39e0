-- name: doctor_hooks
-- scans: every hook, for a command
SELECT s.*, w.name AS workspace_name
FROM subscriptions s JOIN workspaces w ON w.id = s.workspace_id
WHERE s.api = :api AND s.removed_at IS NULL AND (CAST(:workspace AS TEXT) IS NULL OR w.name = :workspace)
ORDER BY w.name, s.created_at, s.id;

-- name: doctor_success
-- scans: the deliveries of a hook that has only ever failed, for a command
SELECT id FROM deliveries
WHERE workspace_id = :workspace_id AND subscription_id = :subscription_id AND state = 'success'
ORDER BY workspace_id DESC, subscription_id DESC, created_at DESC, id DESC
LIMIT 1;

-- name: doctor_last_attempt
-- scans: the newest hundred deliveries of a hook, and sorts their attempts
WITH newest AS MATERIALIZED (
    SELECT id FROM deliveries
    WHERE workspace_id = :workspace_id AND subscription_id = :subscription_id
    ORDER BY workspace_id DESC, subscription_id DESC, created_at DESC, id DESC
    LIMIT 100
)
SELECT a.attempted_at, a.status, a.error_code
FROM newest JOIN attempts a ON a.delivery_id = newest.id
ORDER BY a.attempted_at DESC, a.number DESC
LIMIT 1;
