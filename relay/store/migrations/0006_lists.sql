-- Every statement is a search, at any size. What a busy workspace adds to with each event is written here as little as
-- possible: of these, a success writes one index, a delivery of the RavePilot API another, and everything else is rare.

-- The API of its subscription, for the log that shows one API's deliveries alone. Deliveries of other APIs that are older
-- than this column have none: nothing asks for theirs.
ALTER TABLE deliveries ADD COLUMN api TEXT;

UPDATE deliveries SET api = 'ravepilot'
WHERE (workspace_id, subscription_id) IN (SELECT workspace_id, id FROM subscriptions WHERE api = 'ravepilot');

CREATE INDEX deliveries_of_ravepilot ON deliveries (workspace_id, created_at, id) WHERE api = 'ravepilot';

-- Beside those of what is pending and of what is dead.
CREATE INDEX deliveries_succeeded ON deliveries (workspace_id, created_at, id) WHERE state = 'success';

-- By its workspace first, so that asking for the subscription of somebody else finds nothing at once.
DROP INDEX dead_letters_of_subscription;

CREATE INDEX dead_letters_of_subscription ON deliveries (workspace_id, subscription_id, completed_at, id)
    WHERE state = 'dead';

DROP INDEX subscriptions_live;

CREATE INDEX subscriptions_of_api ON subscriptions (workspace_id, api, created_at, id) WHERE removed_at IS NULL;

CREATE INDEX subscriptions_receiving ON subscriptions (workspace_id, id)
    WHERE removed_at IS NULL AND paused_at IS NULL AND disabled_at IS NULL;

CREATE INDEX subscriptions_by_age ON subscriptions (workspace_id, created_at, id) WHERE removed_at IS NULL;

CREATE INDEX subscriptions_of_target ON subscriptions (target_url) WHERE removed_at IS NULL AND disabled_at IS NULL;

CREATE INDEX farewells_due ON farewells (next_attempt_at);

CREATE INDEX recoveries_of_subscription ON recoveries (subscription_id);

CREATE INDEX emails_of_invitation ON emails (invitation_id);

CREATE INDEX workspaces_swept ON workspaces (id) WHERE swept_after_ms IS NOT NULL;

CREATE INDEX workspaces_deleted ON workspaces (deleted_at) WHERE deleted_at IS NOT NULL;

-- What goes with a workspace is found by it, and so is whatever would keep a row that another still refers to.
CREATE INDEX subscriptions_of_workspace ON subscriptions (workspace_id);

CREATE INDEX api_keys_of_workspace ON api_keys (workspace_id);

CREATE INDEX recoveries_of_workspace ON recoveries (workspace_id);

CREATE INDEX collectors_of_workspace ON collectors (workspace_id);

CREATE INDEX emails_of_workspace ON emails (workspace_id);

CREATE INDEX submissions_of_collector ON submissions (collector_id);
