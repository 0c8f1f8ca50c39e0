-- Platforms that are to be told that Relay has ended a hook of theirs. A row waits here from the commit that ended the hook
-- until the platform has been told, or could not be: few, and none for long.
CREATE TABLE farewells (
    -- Told once, however many hooks went there.
    target_url      TEXT PRIMARY KEY,
    subscription_id TEXT NOT NULL,
    attempts_made   BIGINT NOT NULL DEFAULT 0,
    next_attempt_at BIGINT NOT NULL,
    created_at      BIGINT NOT NULL
);
