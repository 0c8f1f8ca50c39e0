-- name: event_add
INSERT INTO events (workspace_id, id, type, payload, idempotency_key, source_ip, created_at)
VALUES (:workspace_id, :id, :type, :payload, :idempotency_key, :source_ip, :created_at)
-- Whoever stores an event asks for this next, and every statement has the event loop wait for the writer's thread.
RETURNING (SELECT subscriptions_version FROM workspaces WHERE workspaces.id = :workspace_id) AS subscriptions_version;

-- name: event_get
SELECT * FROM events WHERE workspace_id = :workspace_id AND id = :id;

-- name: body_add
INSERT INTO bodies (event_id, number, body) VALUES (:event_id, :number, :body);

-- name: body_get
SELECT body FROM bodies WHERE event_id = :event_id AND number = :number;

-- name: event_old
-- The oldest events, from one on: so many are looked at, whether or not something of them still waits.
SELECT e.id, e.created_at, EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND d.state = 'pending') AS waits
FROM events e
WHERE e.workspace_id = :workspace_id AND e.id > :after_id AND e.id < :before_id
ORDER BY e.workspace_id, e.id
LIMIT :n;

-- name: attempt_forget
-- The attempts of the deliveries that delivery_forget takes.
DELETE FROM attempts WHERE delivery_id IN (
    SELECT id FROM deliveries WHERE event_id = :event_id ORDER BY subscription_id LIMIT :n
);

-- name: delivery_forget
DELETE FROM deliveries
WHERE (workspace_id, id) IN (
    SELECT workspace_id, id FROM deliveries WHERE event_id = :event_id ORDER BY subscription_id LIMIT :n
)
RETURNING id;

-- name: body_forget
DELETE FROM bodies WHERE event_id = :event_id;

-- name: event_forget
DELETE FROM events WHERE workspace_id = :workspace_id AND id = :event_id;

-- name: idempotency_expire
DELETE FROM idempotency
WHERE (workspace_id, key) IN (
    SELECT workspace_id, key FROM idempotency WHERE expires_at <= :now ORDER BY expires_at LIMIT :n
)
RETURNING key;
