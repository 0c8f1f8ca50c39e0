-- Who owns data, what happened, who wants it, and what became of it.
--
-- Written for SQLite and PostgreSQL alike: TEXT and BIGINT only, times in Unix milliseconds, JSON as TEXT, no booleans
-- (a nullable time says when as well). A table that is keyed by its workspace first is also that workspace's listing.

CREATE TABLE workspaces (
    id                    TEXT PRIMARY KEY,
    name                  TEXT NOT NULL UNIQUE,
    -- Differs after every change of a subscription, so that the publisher knows when its matches are stale.
    subscriptions_version BIGINT NOT NULL DEFAULT 0,
    created_at            BIGINT NOT NULL
);

CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    prefix       TEXT NOT NULL,
    -- SHA-256 of the key. A key is 190 random bits: it needs no slow hash.
    key_hash     TEXT NOT NULL UNIQUE,
    last4        TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    label        TEXT,
    created_at   BIGINT NOT NULL,
    revoked_at   BIGINT
);

CREATE TABLE subscriptions (
    id                    TEXT PRIMARY KEY,
    workspace_id          TEXT NOT NULL REFERENCES workspaces (id),
    api                   TEXT NOT NULL,
    -- The key it was made with: a hook ends with its key.
    api_key_id            TEXT,
    name                  TEXT,
    target_url            TEXT NOT NULL,
    event_filter          TEXT NOT NULL,
    conditions            TEXT NOT NULL,
    source                TEXT,
    external_ref          TEXT,
    secret                TEXT NOT NULL,
    previous_secret       TEXT,
    previous_secret_until BIGINT,
    secret_rotated_at     BIGINT,
    consecutive_failures  BIGINT NOT NULL DEFAULT 0,
    failing_since         BIGINT,
    -- Since when its target answers; null when nothing is known of it, or it failed last.
    answering_since       BIGINT,
    created_at            BIGINT NOT NULL,
    updated_at            BIGINT NOT NULL,
    paused_at             BIGINT,
    disabled_at           BIGINT,
    disabled_reason       TEXT,
    removed_at            BIGINT,
    CONSTRAINT subscription_failing_since CHECK ((consecutive_failures = 0) = (failing_since IS NULL)),
    CONSTRAINT subscription_disabled_why CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
);

CREATE INDEX subscriptions_live ON subscriptions (workspace_id, id) WHERE removed_at IS NULL;
CREATE INDEX subscriptions_of_key ON subscriptions (api_key_id) WHERE removed_at IS NULL;

CREATE TABLE events (
    workspace_id    TEXT NOT NULL,
    id              TEXT NOT NULL,
    type            TEXT NOT NULL,
    payload         TEXT NOT NULL,
    idempotency_key TEXT,
    source_ip       TEXT,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);

-- The unique key, not a look-up, decides whether a request came before.
CREATE TABLE idempotency (
    workspace_id TEXT NOT NULL,
    key          TEXT NOT NULL,
    fingerprint  TEXT NOT NULL,
    event_id     TEXT NOT NULL,
    expires_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, key)
) /* without rowid */;

CREATE INDEX idempotency_expiry ON idempotency (expires_at);

-- The bytes that are sent, frozen when the event is published; subscriptions that get the same ones share a row.
CREATE TABLE bodies (
    event_id TEXT NOT NULL,
    number   BIGINT NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (event_id, number)
);

CREATE TABLE deliveries (
    workspace_id      TEXT NOT NULL,
    id                TEXT NOT NULL,
    event_id          TEXT NOT NULL,
    event_type        TEXT NOT NULL,
    subscription_id   TEXT NOT NULL,
    body_number       BIGINT NOT NULL,
    state             TEXT NOT NULL,
    dead_reason       TEXT,
    attempts_made     BIGINT NOT NULL DEFAULT 0,
    next_attempt_at   BIGINT,
    -- Written only where several processes share the database; a process that owns its file remembers what it holds.
    leased_until      BIGINT,
    final_status_code BIGINT,
    created_at        BIGINT NOT NULL,
    completed_at      BIGINT,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT delivery_state CHECK (state IN ('pending', 'success', 'dead')),
    CONSTRAINT delivery_pending_is_due CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL)),
    CONSTRAINT delivery_ended_when CHECK ((state = 'pending') = (completed_at IS NULL)),
    CONSTRAINT delivery_dead_why CHECK ((state = 'dead') = (dead_reason IS NOT NULL))
) /* without rowid */;

-- One delivery for each pair, whatever is published again, replayed or recovered.
CREATE UNIQUE INDEX deliveries_pair ON deliveries (event_id, subscription_id);

-- What is waiting, by subscription: a target that is down never stands in front of another's deliveries.
CREATE INDEX deliveries_due ON deliveries (subscription_id, next_attempt_at) WHERE state = 'pending';

CREATE TABLE attempts (
    delivery_id  TEXT NOT NULL,
    number       BIGINT NOT NULL,
    attempted_at BIGINT NOT NULL,
    signature    TEXT NOT NULL,
    status       BIGINT,
    headers      TEXT,
    snippet      TEXT,
    latency_ms   BIGINT,
    error_code   TEXT,
    PRIMARY KEY (delivery_id, number)
) /* without rowid */;
