-- What the Webhook Relay API needs beyond sending: listings that cost by the page, recoveries, workspaces that are swept.

-- How many attempts a delivery had when it was put back on the full schedule. Its place in the schedule is counted from
-- there, while attempts_made goes on counting every attempt there was.
ALTER TABLE deliveries ADD COLUMN schedule_base BIGINT NOT NULL DEFAULT 0;

-- Null keeps data for the server's retention; a sandbox says after how long everything in it goes.
ALTER TABLE workspaces ADD COLUMN swept_after_ms BIGINT;

-- Recoveries that are not finished: one that is has no row. Events are taken up in the order of their ids, after_id moves
-- on with every page, and so a restart goes on where it was.
CREATE TABLE recoveries (
    id              TEXT PRIMARY KEY,
    workspace_id    TEXT NOT NULL REFERENCES workspaces (id),
    subscription_id TEXT NOT NULL,
    since_at        BIGINT NOT NULL,
    until_at        BIGINT NOT NULL,
    after_id        TEXT NOT NULL,
    created_at      BIGINT NOT NULL
);

-- Every listing pages by an index that has its order, so that the last page costs what the first one does. The primary
-- keys serve the unfiltered ones. Of the indexes below, the first three are written on the way of every event: together
-- about an eighth of the work of storing an event with one delivery and its end, measured in groups of 64, and the least
-- of it is the first. Without them a rare type, a quiet subscription or a short queue would be looked for in the whole
-- history.
CREATE INDEX events_of_type ON events (workspace_id, type, id);

CREATE INDEX deliveries_of_subscription ON deliveries (workspace_id, subscription_id, created_at, id);

CREATE INDEX deliveries_pending ON deliveries (workspace_id, created_at, id) WHERE state = 'pending';

-- These are written when a delivery dies, and only then. Dead letters are listed by when they died.
CREATE INDEX deliveries_dead ON deliveries (workspace_id, created_at, id) WHERE state = 'dead';

CREATE INDEX dead_letters ON deliveries (workspace_id, completed_at, id) WHERE state = 'dead';

CREATE INDEX dead_letters_of_subscription ON deliveries (subscription_id, completed_at, id) WHERE state = 'dead';
