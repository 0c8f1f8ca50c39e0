-- name: submission_add
INSERT INTO submissions
    (id, workspace_id, collector_id, status, customer_email, customer_name, customer_phone, position, created_at)
VALUES
    (:id, :workspace_id, :collector_id, 'in_progress', :customer_email, :customer_name, :customer_phone, :position, :now)
RETURNING *;

-- name: submission_get
SELECT * FROM submissions WHERE id = :id AND workspace_id = :workspace_id;

-- name: submission_fill_in
UPDATE submissions
SET customer_name = COALESCE(customer_name, :customer_name), customer_phone = COALESCE(customer_phone, :customer_phone)
WHERE id = :id AND workspace_id = :workspace_id AND erased_at IS NULL
RETURNING *;

-- name: submission_list
SELECT * FROM submissions
WHERE workspace_id = :workspace_id AND position >= :from AND position < :below
ORDER BY position DESC LIMIT :n OFFSET :skip;

-- name: submission_list_by_status
SELECT * FROM submissions
WHERE workspace_id = :workspace_id AND status = :status AND position >= :from AND position < :below
ORDER BY position DESC LIMIT :n OFFSET :skip;

-- name: submission_list_by_customer
-- Found by the invitation, whose unique address leads to the one submission a customer has. That of an erased customer has
-- no address any more, and is not found.
SELECT submissions.* FROM invitations
JOIN submissions ON submissions.id = invitations.submission_id
WHERE invitations.workspace_id = :workspace_id AND invitations.email_lower = :customer_email
    AND submissions.workspace_id = :workspace_id AND submissions.customer_email = :customer_email
    AND submissions.position >= :from AND submissions.position < :below
    AND (CAST(:status AS TEXT) IS NULL OR submissions.status = :status)
LIMIT :n OFFSET :skip;

-- name: clip_of_submission
-- scans: the clips of one submission, and sorts them
SELECT clips.* FROM clips
JOIN submissions ON submissions.id = clips.submission_id
WHERE clips.submission_id = :submission_id AND submissions.workspace_id = :workspace_id
ORDER BY clips.created_at, clips.id;
