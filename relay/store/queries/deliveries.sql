-- name: delivery_add
INSERT INTO deliveries (
    workspace_id, id, event_id, event_type, subscription_id, api, body_number, state, next_attempt_at, created_at
) VALUES (
    :workspace_id, :id, :event_id, :event_type, :subscription_id, :api, :body_number, 'pending', :now, :now
);

-- name: delivery_waiting
-- Every subscription that something waits for, with the time the first of it falls due. It steps from one
-- subscription to the next in the index, so that it costs by the subscription and not by the delivery.
WITH RECURSIVE lane (subscription_id) AS (
    SELECT MIN(subscription_id) FROM deliveries WHERE state = 'pending'
    UNION ALL
    SELECT (
        SELECT MIN(d.subscription_id) FROM deliveries d
        WHERE d.state = 'pending' AND d.subscription_id > lane.subscription_id
    )
    FROM lane WHERE lane.subscription_id IS NOT NULL
)
SELECT lane.subscription_id, s.workspace_id, s.consecutive_failures, s.answering_since, (
    SELECT MIN(d.next_attempt_at) FROM deliveries d
    WHERE d.state = 'pending' AND d.subscription_id = lane.subscription_id
) AS next_attempt_at
FROM lane JOIN subscriptions s ON s.id = lane.subscription_id;

-- name: delivery_count_pending
-- scans: what is pending, beside the writer, for the metrics: a hundredth of the time at most
SELECT COUNT(*) AS pending FROM deliveries WHERE state = 'pending';

-- name: delivery_due
SELECT d.workspace_id, d.id, d.event_id, d.event_type, d.body_number, d.attempts_made, d.schedule_base,
    d.created_at, LENGTH(b.body) AS body_chars,
    CASE WHEN LENGTH(b.body) <= :held_body_limit THEN b.body END AS body
FROM deliveries d JOIN bodies b ON b.event_id = d.event_id AND b.number = d.body_number
WHERE d.subscription_id = :subscription_id AND d.state = 'pending' AND d.next_attempt_at <= :now
ORDER BY d.next_attempt_at
LIMIT :n;

-- name: delivery_next_due
SELECT MIN(next_attempt_at) AS next_attempt_at FROM deliveries
WHERE subscription_id = :subscription_id AND state = 'pending' AND next_attempt_at > :now;

-- name: delivery_settle
-- Only from pending: an attempt that was under way when its delivery was ended does not bring it back. A success does
-- count, because the receiver has it.
UPDATE deliveries
SET state = :state, dead_reason = :dead_reason, attempts_made = :attempts_made, next_attempt_at = :next_attempt_at,
    final_status_code = :final_status_code, completed_at = :completed_at
WHERE workspace_id = :workspace_id AND id = :id AND (state = 'pending' OR CAST(:state AS TEXT) = 'success')
RETURNING id;

-- name: delivery_noted
-- The attempt of a delivery that has ended meanwhile is counted all the same, once.
UPDATE deliveries
SET attempts_made = CASE WHEN attempts_made < :attempts_made THEN :attempts_made ELSE attempts_made END,
    final_status_code = CASE WHEN attempts_made < :attempts_made THEN :final_status_code ELSE final_status_code END
WHERE workspace_id = :workspace_id AND id = :id AND state <> 'pending'
RETURNING id;

-- name: attempt_add
INSERT INTO attempts (
    delivery_id, number, attempted_at, signature, status, headers, snippet, latency_ms, error_code
) VALUES (
    :delivery_id, :number, :attempted_at, :signature, :status, :headers, :snippet, :latency_ms, :error_code
) ON CONFLICT (delivery_id, number) DO NOTHING;

-- name: attempt_of_delivery
SELECT * FROM attempts WHERE delivery_id = :delivery_id ORDER BY delivery_id DESC, number DESC LIMIT :n;

-- name: delivery_bury
-- End what waits for a subscription, a page at a time.
UPDATE deliveries
SET state = 'dead', dead_reason = :reason, next_attempt_at = NULL, completed_at = :now
WHERE (workspace_id, id) IN (
    SELECT d.workspace_id, d.id FROM deliveries d
    WHERE d.subscription_id = :subscription_id AND d.state = 'pending' AND d.next_attempt_at <= :due_before
    ORDER BY d.next_attempt_at
    LIMIT :n
)
RETURNING id;

-- name: delivery_get
SELECT * FROM deliveries WHERE workspace_id = :workspace_id AND id = :id;

-- name: delivery_pull_in
-- Due at once, what is due later than that. It steps from one subscription to the next, as delivery_waiting does.
WITH RECURSIVE lane (subscription_id) AS (
    SELECT MIN(subscription_id) FROM deliveries WHERE state = 'pending'
    UNION ALL
    SELECT (
        SELECT MIN(d.subscription_id) FROM deliveries d
        WHERE d.state = 'pending' AND d.subscription_id > lane.subscription_id
    )
    FROM lane WHERE lane.subscription_id IS NOT NULL
)
UPDATE deliveries SET next_attempt_at = :now
WHERE (workspace_id, id) IN (
    SELECT d.workspace_id, d.id
    FROM lane JOIN deliveries d ON d.subscription_id = lane.subscription_id
    WHERE d.state = 'pending' AND d.next_attempt_at > :latest
);

-- name: delivery_set_back
-- It steps from one subscription to the next, as delivery_waiting does, and passes what is due already.
WITH RECURSIVE lane (subscription_id) AS (
    SELECT MIN(subscription_id) FROM deliveries WHERE state = 'pending'
    UNION ALL
    SELECT (
        SELECT MIN(d.subscription_id) FROM deliveries d
        WHERE d.state = 'pending' AND d.subscription_id > lane.subscription_id
    )
    FROM lane WHERE lane.subscription_id IS NOT NULL
)
UPDATE deliveries SET next_attempt_at = CASE WHEN next_attempt_at <= :was THEN :now ELSE next_attempt_at - :by END
WHERE (workspace_id, id) IN (
    SELECT d.workspace_id, d.id
    FROM lane JOIN deliveries d ON d.subscription_id = lane.subscription_id
    WHERE d.state = 'pending' AND d.next_attempt_at > :now AND (
        d.next_attempt_at <= :was OR EXISTS (
            SELECT 1 FROM attempts a
            WHERE a.delivery_id = d.id AND a.number = d.attempts_made AND a.attempted_at > :attempted_after
        )
    )
);

-- name: delivery_put_off
UPDATE deliveries SET next_attempt_at = :until WHERE workspace_id = :workspace_id AND id = :id AND state = 'pending';

-- name: delivery_put_back
-- Due at once, from any state or only from dead; where it stands in its schedule stays.
UPDATE deliveries
SET state = 'pending', dead_reason = NULL, next_attempt_at = :now, completed_at = NULL
WHERE workspace_id = :workspace_id AND id = :id AND (CAST(:only AS TEXT) IS NULL OR state = :only)
RETURNING id;
