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
WHERE workspace_id = :workspace_id
ORDER BY position DESC LIMIT :n OFFSET :skip;

-- name: submission_list_by_status
SELECT * FROM submissions
WHERE workspace_id = :workspace_id AND status = :status
ORDER BY position DESC LIMIT :n OFFSET :skip;

-- name: clip_of_submission
SELECT clips.* FROM clips
JOIN submissions ON submissions.id = clips.submission_id
WHERE clips.submission_id = :submission_id AND submissions.workspace_id = :workspace_id
ORDER BY clips.created_at, clips.id;
