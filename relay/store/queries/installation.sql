-- name: installation_forget
DELETE FROM installation;

-- name: installation_keep
INSERT INTO installation (name, value) VALUES (:name, :value);

-- name: installation_kept
-- One row for each thing that is kept of the last start: about twenty.
SELECT name, value FROM installation;
