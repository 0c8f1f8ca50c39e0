-- name: webhook_delivery_newest
SELECT * FROM deliveries
WHERE workspace_id = :workspace_id AND api = 'ravepilot'
ORDER BY workspace_id DESC, created_at DESC, id DESC
LIMIT :n;
