-- What the doctor asks. Each statement looks at a bounded number of rows by an index: there may be ten million deliveries.

-- name: doctor_subscriptions
-- scans: every subscription, once, for a command
SELECT * FROM subscriptions WHERE workspace_id = :workspace_id AND removed_at IS NULL ORDER BY created_at, id;

-- name: doctor_newest_successes
SELECT COUNT(*) AS successes FROM (
    SELECT state FROM deliveries
    WHERE workspace_id = :workspace_id AND subscription_id = :subscription_id
    ORDER BY workspace_id DESC, subscription_id DESC, created_at DESC, id DESC
    LIMIT :n
) AS newest
WHERE state = 'success';

-- name: doctor_oldest_successes
SELECT COUNT(*) AS successes FROM (
    SELECT state FROM deliveries
    WHERE workspace_id = :workspace_id AND subscription_id = :subscription_id
    ORDER BY workspace_id, subscription_id, created_at, id
    LIMIT :n
) AS oldest
WHERE state = 'success';

-- name: doctor_last_attempt
-- sorts: the attempts of at most twice :n deliveries, for a command
-- Of a subscription that fails: what failed last waits for another try, or has just died.
WITH failed AS MATERIALIZED (
    SELECT id FROM (
        SELECT id FROM deliveries
        WHERE subscription_id = :subscription_id AND state = 'pending'
        ORDER BY next_attempt_at DESC
        LIMIT :n
    ) AS waiting
    UNION ALL
    SELECT id FROM (
        SELECT id FROM deliveries
        WHERE workspace_id = :workspace_id AND subscription_id = :subscription_id AND state = 'dead'
        ORDER BY workspace_id DESC, subscription_id DESC, completed_at DESC, id DESC
        LIMIT :n
    ) AS dead
)
SELECT a.attempted_at, a.status, a.error_code
FROM failed JOIN attempts a ON a.delivery_id = failed.id
ORDER BY a.attempted_at DESC, a.number DESC
LIMIT 1;

-- name: doctor_waiting
-- Each subscription that something waits for, with the times the first and the last of it fall due; it steps from one to
-- the next in the index, as delivery_waiting does.
WITH RECURSIVE lane (subscription_id) AS (
    SELECT MIN(subscription_id) FROM deliveries WHERE state = 'pending'
    UNION ALL
    SELECT (
        SELECT MIN(d.subscription_id) FROM deliveries d
        WHERE d.state = 'pending' AND d.subscription_id > lane.subscription_id
    )
    FROM lane WHERE lane.subscription_id IS NOT NULL
)
SELECT lane.subscription_id, s.workspace_id, (
    SELECT MIN(d.next_attempt_at) FROM deliveries d
    WHERE d.state = 'pending' AND d.subscription_id = lane.subscription_id
) AS first_due_at, (
    SELECT MAX(d.next_attempt_at) FROM deliveries d
    WHERE d.state = 'pending' AND d.subscription_id = lane.subscription_id
) AS last_due_at
FROM lane JOIN subscriptions s ON s.id = lane.subscription_id;

-- name: doctor_waiting_count
SELECT COUNT(*) AS waiting FROM (
    SELECT id FROM deliveries WHERE subscription_id = :subscription_id AND state = 'pending' LIMIT :n
) AS counted;

-- name: doctor_last_progress
-- When one of the deliveries before those that wait was tried: a queue that is worked off has such.
SELECT MAX(a.attempted_at) AS attempted_at FROM (
    SELECT id FROM deliveries
    WHERE workspace_id = :workspace_id AND subscription_id = :subscription_id AND created_at <= :before_at
    ORDER BY workspace_id DESC, subscription_id DESC, created_at DESC, id DESC
    LIMIT :n
) AS before JOIN attempts a ON a.delivery_id = before.id;

-- name: doctor_dead
-- sorts: at most :n dead letters, to sum them, for a command
SELECT subscription_id, dead_reason, COUNT(*) AS dead, MIN(completed_at) AS first_at FROM (
    SELECT subscription_id, dead_reason, completed_at FROM deliveries
    WHERE workspace_id = :workspace_id AND state = 'dead' AND completed_at >= :since
    ORDER BY workspace_id DESC, completed_at DESC, id DESC
    LIMIT :n
) AS newest
GROUP BY subscription_id, dead_reason;

-- name: doctor_newest_event
SELECT created_at FROM events WHERE workspace_id = :workspace_id ORDER BY workspace_id DESC, id DESC LIMIT 1;

-- name: doctor_newest_attempt
SELECT MAX(a.attempted_at) AS attempted_at FROM (
    SELECT id FROM deliveries WHERE workspace_id = :workspace_id ORDER BY workspace_id DESC, id DESC LIMIT :n
) AS newest JOIN attempts a ON a.delivery_id = newest.id;

-- name: doctor_mail_waiting
-- sorts: at most :n mails, for a command
-- Mail that was refused at least once and waits for another try.
SELECT id, attempts_made, last_error FROM (
    SELECT id, attempts_made, last_error, next_attempt_at FROM emails
    WHERE state = 'queued' AND next_attempt_at >= 0
    ORDER BY next_attempt_at
    LIMIT :n
) AS first
WHERE attempts_made > 0
ORDER BY next_attempt_at DESC;

-- name: doctor_mail_given_up
-- sorts: at most :n mails, for a command
SELECT state, COUNT(*) AS mails FROM (
    SELECT state FROM emails WHERE state IN ('failed', 'unknown') AND completed_at >= :since LIMIT :n
) AS newest
GROUP BY state;
