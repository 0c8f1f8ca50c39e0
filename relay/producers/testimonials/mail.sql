-- name: email_queue
INSERT INTO emails
    (id, workspace_id, kind, dedupe_key, invitation_id, recipient, message_id, state, next_attempt_at, created_at)
VALUES
    (:id, :workspace_id, :kind, :dedupe_key, :invitation_id, :recipient, :message_id, 'queued', :now, :now)
ON CONFLICT (kind, dedupe_key) DO UPDATE
SET state = 'queued', next_attempt_at = excluded.next_attempt_at, attempts_made = 0, completed_at = NULL
WHERE emails.state = 'failed'
RETURNING id;

-- name: email_claim
WITH due AS MATERIALIZED (
    SELECT id AS due_id FROM emails
    WHERE state = 'queued' AND next_attempt_at <= :now
    ORDER BY next_attempt_at LIMIT 1 /* skip locked */
)
UPDATE emails
SET state = 'sending', claimed_at = :now, next_attempt_at = NULL, attempts_made = attempts_made + 1
FROM due WHERE id = due_id
RETURNING id, workspace_id, recipient, message_id, attempts_made, invitation_id;

-- name: email_waiting
-- scans: what is queued, once, at the stop
SELECT COUNT(*) AS waiting FROM emails WHERE state = 'queued';

-- name: email_contents
SELECT
    invitations.token_version, submissions.customer_name, submissions.erased_at,
    collectors.intro_text, workspaces.name AS workspace_name
FROM invitations
JOIN submissions ON submissions.id = invitations.submission_id
JOIN collectors ON collectors.id = submissions.collector_id
JOIN workspaces ON workspaces.id = invitations.workspace_id
WHERE invitations.id = :invitation_id;

-- name: email_settle
UPDATE emails
SET state = :state, next_attempt_at = :next_attempt_at, claimed_at = NULL, last_error = :last_error,
    completed_at = :completed_at
WHERE id = :id AND state = 'sending';

-- name: email_abandon
-- scans: what is being sent, a handful
UPDATE emails
SET state = 'unknown', claimed_at = NULL, completed_at = :now, last_error = 'Relay stopped while this was being sent'
WHERE state = 'sending' AND (claimed_at <= :claimed_before OR claimed_at > :now);

-- name: email_put_back
UPDATE emails
SET state = 'queued', next_attempt_at = :now, claimed_at = NULL, attempts_made = attempts_made - 1
WHERE id = :id AND state = 'sending';

-- name: email_set_back
UPDATE emails SET next_attempt_at = CASE WHEN next_attempt_at <= :was THEN :now ELSE next_attempt_at - :by END
WHERE state = 'queued' AND next_attempt_at > :now;

-- name: email_of_invitation
SELECT * FROM emails WHERE invitation_id = :invitation_id;

-- name: suppression_add
INSERT INTO suppressions (workspace_id, email_sha256, reason, created_at)
VALUES (:workspace_id, :email_sha256, :reason, :now)
ON CONFLICT (workspace_id, email_sha256) DO NOTHING;

-- name: suppression_get
SELECT reason FROM suppressions WHERE workspace_id = :workspace_id AND email_sha256 = :email_sha256;
