-- name: idempotency_claim
-- The unique key decides who is first. A record whose window has passed, or whose event is gone, is taken over.
INSERT INTO idempotency (workspace_id, key, fingerprint, event_id, expires_at)
VALUES (:workspace_id, :key, :fingerprint, :event_id, :expires_at)
ON CONFLICT (workspace_id, key) DO UPDATE
SET fingerprint = excluded.fingerprint, event_id = excluded.event_id, expires_at = excluded.expires_at
WHERE idempotency.expires_at <= :now OR NOT EXISTS (
    SELECT 1 FROM events e WHERE e.workspace_id = idempotency.workspace_id AND e.id = idempotency.event_id
)
RETURNING event_id;

-- name: idempotency_earlier
-- With the deliveries it had when it was accepted: those that a recovery added are younger than the event.
SELECT e.*, i.fingerprint, (
    SELECT COUNT(*) FROM deliveries d WHERE d.event_id = e.id AND d.created_at = e.created_at
) AS deliveries
FROM idempotency i JOIN events e ON e.workspace_id = i.workspace_id AND e.id = i.event_id
WHERE i.workspace_id = :workspace_id AND i.key = :key;
