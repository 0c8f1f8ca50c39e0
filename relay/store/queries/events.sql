-- name: event_add
INSERT INTO events (workspace_id, id, type, payload, idempotency_key, source_ip, created_at)
VALUES (:workspace_id, :id, :type, :payload, :idempotency_key, :source_ip, :created_at);

-- name: event_get
SELECT * FROM events WHERE workspace_id = :workspace_id AND id = :id;

-- name: body_add
INSERT INTO bodies (event_id, number, body) VALUES (:event_id, :number, :body);

-- name: body_get
SELECT body FROM bodies WHERE event_id = :event_id AND number = :number;

-- name: event_expire
-- An event goes when it is old and nothing of it still waits; its bodies, deliveries and attempts go with it.
DELETE FROM events
WHERE (workspace_id, id) IN (
    SELECT e.workspace_id, e.id FROM events e
    WHERE e.workspace_id = :workspace_id AND e.id < :before_id
      AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND d.state = 'pending')
    ORDER BY e.workspace_id, e.id
    LIMIT :n
)
RETURNING id;

-- name: event_expire_ahead
-- As event_expire, of those whose ids are ahead of their times: none, as long as the clock is right.
DELETE FROM events
WHERE (workspace_id, id) IN (
    SELECT e.workspace_id, e.id FROM events e
    WHERE e.workspace_id = :workspace_id AND e.id >= :ahead_id AND e.created_at < :before
      AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND d.state = 'pending')
    ORDER BY e.workspace_id, e.id
    LIMIT :n
)
RETURNING id;

-- name: event_remove
DELETE FROM events
WHERE (workspace_id, id) IN (
    SELECT workspace_id, id FROM events WHERE workspace_id = :workspace_id ORDER BY workspace_id, id LIMIT :n
)
RETURNING id;

-- name: body_expire
DELETE FROM bodies WHERE event_id = :event_id;

-- name: attempt_expire
DELETE FROM attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE event_id = :event_id);

-- name: delivery_expire
DELETE FROM deliveries WHERE event_id = :event_id;

-- name: idempotency_expire
DELETE FROM idempotency WHERE expires_at <= :now;
