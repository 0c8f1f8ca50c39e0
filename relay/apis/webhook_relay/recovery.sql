-- name: recovery_add
INSERT INTO recoveries (id, workspace_id, subscription_id, since_at, until_at, after_id, created_at)
VALUES (:id, :workspace_id, :subscription_id, :since_at, :until_at, :after_id, :now);

-- name: recovery_of_subscription
-- scans: the open recoveries of one subscription, at most ten
SELECT COUNT(*) AS count FROM recoveries WHERE subscription_id = :subscription_id;

-- name: recovery_open
-- scans: a recovery has a row only until it is done, and a subscription at most ten
SELECT * FROM recoveries ORDER BY created_at, id;

-- name: recovery_is_busy
SELECT 1 FROM deliveries
WHERE subscription_id = :subscription_id AND state = 'pending' AND next_attempt_at <= :now
LIMIT 1;

-- name: recovery_page
-- The times are compared outside: a page looks at so many events, and not for so many that match.
SELECT e.id, e.type, e.created_at, d.id AS delivery_id, d.state
FROM events e LEFT JOIN deliveries d ON d.event_id = e.id AND d.subscription_id = :subscription_id
WHERE e.workspace_id = :workspace_id AND e.id > :after_id
ORDER BY e.workspace_id, e.id
LIMIT :n;

-- name: recovery_revive
-- On the full schedule: the attempts that were made stand in the log, and the schedule is counted from here.
UPDATE deliveries
SET state = 'pending', dead_reason = NULL, next_attempt_at = :now, completed_at = NULL,
    schedule_base = attempts_made
WHERE workspace_id = :workspace_id AND id = :id AND state = 'dead';

-- name: recovery_bodies
SELECT number, body FROM bodies WHERE event_id = :event_id ORDER BY number;

-- name: recovery_moved
UPDATE recoveries SET after_id = :after_id WHERE id = :id;

-- name: recovery_done
DELETE FROM recoveries WHERE id = :id;
