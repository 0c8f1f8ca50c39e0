-- What the doctor needs to look at an installation without the environment of its server.

-- How the server was started last: one JSON value for each name. What is a secret in it is sealed.
CREATE TABLE installation (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Mail that did not go out, by when it was given up. Written when that happens, and only then.
CREATE INDEX emails_given_up ON emails (completed_at) WHERE state IN ('failed', 'unknown');
