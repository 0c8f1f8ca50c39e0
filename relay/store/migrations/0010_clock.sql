-- The newest time that the server has seen and believed. A clock that is far from it at a start has jumped, or the server was
-- off for long: nothing is deleted by that clock until it has stood.
CREATE TABLE clock (
    name    TEXT PRIMARY KEY,
    seen_at BIGINT NOT NULL
);
