-- Pages of lists, newest first, each by the index that has its order. What has no index of its own is passed over outside,
-- where the rows that are looked at are counted (`narrowing.py`).
-- `:before` is the id the last page ended with, `:before_at` its time: without the time in the comparison SQLite would take
-- the primary key, whose end looks the same, and look through it.

-- name: event_page
-- scans: the page itself, a few events at a time, and groups their deliveries
WITH page AS MATERIALIZED (
    SELECT * FROM events
    WHERE workspace_id = :workspace_id AND id < :before AND id >= :after_id AND created_at > :after
    ORDER BY workspace_id DESC, id DESC
    LIMIT :n
), counted AS MATERIALIZED (
    SELECT page.id AS event_id, COUNT(d.id) AS total, COUNT(CASE WHEN d.state = 'success' THEN 1 END) AS succeeded,
        COUNT(CASE WHEN d.state = 'dead' THEN 1 END) AS dead
    FROM page LEFT JOIN deliveries d ON d.event_id = page.id
    GROUP BY page.id
)
SELECT page.*, counted.total, counted.succeeded, counted.dead
FROM page JOIN counted ON counted.event_id = page.id
ORDER BY page.id DESC;

-- name: event_page_of_type
-- scans: as event_page
WITH page AS MATERIALIZED (
    SELECT * FROM events
    WHERE workspace_id = :workspace_id AND type = :type AND id < :before AND id >= :after_id AND created_at > :after
    ORDER BY workspace_id DESC, type DESC, id DESC
    LIMIT :n
), counted AS MATERIALIZED (
    SELECT page.id AS event_id, COUNT(d.id) AS total, COUNT(CASE WHEN d.state = 'success' THEN 1 END) AS succeeded,
        COUNT(CASE WHEN d.state = 'dead' THEN 1 END) AS dead
    FROM page LEFT JOIN deliveries d ON d.event_id = page.id
    GROUP BY page.id
)
SELECT page.*, counted.total, counted.succeeded, counted.dead
FROM page JOIN counted ON counted.event_id = page.id
ORDER BY page.id DESC;

-- name: event_newest_of_type
SELECT * FROM events
WHERE workspace_id = :workspace_id AND type = :type AND id < :before
ORDER BY workspace_id DESC, type DESC, id DESC
LIMIT :n;

-- name: event_counts
SELECT COUNT(*) AS total, COUNT(CASE WHEN state = 'success' THEN 1 END) AS succeeded,
    COUNT(CASE WHEN state = 'dead' THEN 1 END) AS dead
FROM deliveries WHERE event_id = :event_id;

-- name: subscription_page
SELECT * FROM subscriptions
WHERE workspace_id = :workspace_id AND api = :api AND removed_at IS NULL AND (created_at, id) < (:before_at, :before)
ORDER BY workspace_id DESC, api DESC, created_at DESC, id DESC
LIMIT :n;

-- name: delivery_page
SELECT * FROM deliveries
WHERE workspace_id = :workspace_id AND id < :before
ORDER BY workspace_id DESC, id DESC
LIMIT :n;

-- name: delivery_page_success
SELECT * FROM deliveries
WHERE workspace_id = :workspace_id AND state = 'success' AND (created_at, id) < (:before_at, :before)
ORDER BY workspace_id DESC, created_at DESC, id DESC
LIMIT :n;

-- name: delivery_page_pending
SELECT * FROM deliveries
WHERE workspace_id = :workspace_id AND state = 'pending' AND (created_at, id) < (:before_at, :before)
ORDER BY workspace_id DESC, created_at DESC, id DESC
LIMIT :n;

-- name: delivery_page_dead
SELECT * FROM deliveries
WHERE workspace_id = :workspace_id AND state = 'dead' AND (created_at, id) < (:before_at, :before)
ORDER BY workspace_id DESC, created_at DESC, id DESC
LIMIT :n;

-- name: delivery_page_of_subscription
SELECT * FROM deliveries
WHERE workspace_id = :workspace_id AND subscription_id = :subscription_id AND (created_at, id) < (:before_at, :before)
ORDER BY workspace_id DESC, subscription_id DESC, created_at DESC, id DESC
LIMIT :n;

-- name: delivery_page_of_event
-- scans: the deliveries of one event, one for each subscription: few enough to be sorted
WITH of_event AS MATERIALIZED (SELECT * FROM deliveries WHERE event_id = :event_id)
SELECT * FROM of_event
WHERE workspace_id = :workspace_id AND id < :before
  AND (CAST(:subscription_id AS TEXT) IS NULL OR subscription_id = :subscription_id)
  AND (CAST(:state AS TEXT) IS NULL OR state = :state)
ORDER BY id DESC
LIMIT :n;

-- name: dead_letter_page
SELECT * FROM deliveries
WHERE workspace_id = :workspace_id AND state = 'dead' AND completed_at >= :since
  AND (completed_at, id) < (:before_at, :before)
ORDER BY workspace_id DESC, completed_at DESC, id DESC
LIMIT :n;

-- name: dead_letter_page_of_subscription
SELECT * FROM deliveries
WHERE workspace_id = :workspace_id AND subscription_id = :subscription_id AND state = 'dead' AND completed_at >= :since
  AND (completed_at, id) < (:before_at, :before)
ORDER BY workspace_id DESC, subscription_id DESC, completed_at DESC, id DESC
LIMIT :n;
