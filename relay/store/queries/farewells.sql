-- name: farewell_add
-- What is still waiting for an earlier hook begins anew.
INSERT INTO farewells (target_url, subscription_id, next_attempt_at, created_at)
VALUES (:target_url, :subscription_id, :now, :now)
ON CONFLICT (target_url) DO UPDATE
SET subscription_id = excluded.subscription_id, attempts_made = 0, next_attempt_at = excluded.next_attempt_at,
    created_at = excluded.created_at;

-- name: farewell_due
SELECT * FROM farewells WHERE next_attempt_at <= :now ORDER BY next_attempt_at LIMIT :n;

-- name: farewell_target_in_use
SELECT id FROM subscriptions WHERE target_url = :target_url AND removed_at IS NULL AND disabled_at IS NULL LIMIT 1;

-- name: farewell_claim
UPDATE farewells SET attempts_made = attempts_made + 1, next_attempt_at = :next_attempt_at WHERE target_url = :target_url
RETURNING *;

-- name: farewell_put_off
UPDATE farewells SET next_attempt_at = :next_attempt_at WHERE target_url = :target_url;

-- name: farewell_put_back
UPDATE farewells SET attempts_made = attempts_made - 1, next_attempt_at = :next_attempt_at
WHERE target_url = :target_url AND attempts_made > 0;

-- name: farewell_set_back
-- scans: the table, which is small: a row is there from the end of a hook until its platform has been told
UPDATE farewells SET next_attempt_at = CASE WHEN next_attempt_at <= :was THEN :now ELSE next_attempt_at - :by END
WHERE next_attempt_at > :now;

-- name: farewell_done
DELETE FROM farewells WHERE target_url = :target_url;
