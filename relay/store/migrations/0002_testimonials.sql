-- Customers who are invited to record a testimonial, what they record, and the mail that asks them to.

CREATE TABLE collectors (
    id              TEXT PRIMARY KEY,
    workspace_id    TEXT NOT NULL REFERENCES workspaces (id),
    name            TEXT NOT NULL,
    intro_text      TEXT,
    consent_text    TEXT,
    consent_version TEXT,
    reward_cents    BIGINT,
    reward_currency TEXT,
    reward_mode     TEXT NOT NULL DEFAULT 'none',
    -- Whether a session that was approved in part is rewarded too: null for no, else since when.
    reward_on_partial_since BIGINT,
    render_template TEXT,
    primary_since   BIGINT,
    created_at      BIGINT NOT NULL,
    closed_at       BIGINT,
    CONSTRAINT collector_reward_mode CHECK (reward_mode IN ('auto', 'manual', 'none'))
);

CREATE UNIQUE INDEX collectors_primary ON collectors (workspace_id) WHERE primary_since IS NOT NULL;

CREATE TABLE scripts (
    id           TEXT PRIMARY KEY,
    collector_id TEXT NOT NULL REFERENCES collectors (id),
    script_key   TEXT NOT NULL,
    prompt       TEXT NOT NULL,
    position     BIGINT NOT NULL,
    max_seconds  BIGINT NOT NULL DEFAULT 90,
    -- Null when the customer may leave it out.
    required_since BIGINT,
    CONSTRAINT script_key_once UNIQUE (collector_id, script_key)
);

CREATE TABLE submissions (
    id                 TEXT PRIMARY KEY,
    workspace_id       TEXT NOT NULL REFERENCES workspaces (id),
    collector_id       TEXT NOT NULL REFERENCES collectors (id),
    status             TEXT NOT NULL,
    customer_email     TEXT,
    customer_name      TEXT,
    customer_phone     TEXT,
    hubspot_contact_id TEXT,
    -- Rises within the workspace in the order of creation: two made in one millisecond still list in order.
    position           TEXT NOT NULL,
    created_at         BIGINT NOT NULL,
    submitted_at       BIGINT,
    approved_at        BIGINT,
    erased_at          BIGINT,
    CONSTRAINT submission_status CHECK
        (status IN ('in_progress', 'submitted', 'approved', 'partial_approved', 'rejected', 'paid')),
    CONSTRAINT submission_submitted_when CHECK ((status = 'in_progress') = (submitted_at IS NULL))
);

CREATE INDEX submissions_newest ON submissions (workspace_id, position);
CREATE INDEX submissions_by_status ON submissions (workspace_id, status, position);

CREATE TABLE invitations (
    id            TEXT PRIMARY KEY,
    workspace_id  TEXT NOT NULL REFERENCES workspaces (id),
    -- Checked at the commit: the invitation is inserted first, because its unique address decides whether there is anything
    -- to make at all.
    submission_id TEXT NOT NULL UNIQUE REFERENCES submissions (id) DEFERRABLE INITIALLY DEFERRED,
    -- The customer's identity: one invitation for each lower-cased address of a workspace, for ever.
    email_lower   TEXT NOT NULL,
    source        TEXT NOT NULL,
    -- Part of the signed link: raising it revokes every link that was given out.
    token_version BIGINT NOT NULL DEFAULT 1,
    created_at    BIGINT NOT NULL,
    -- When a link was revoked last; the next one that is given out works.
    revoked_at    BIGINT,
    CONSTRAINT invitation_source CHECK (source IN ('api', 'magic_link', 'portal')),
    CONSTRAINT invitation_once UNIQUE (workspace_id, email_lower)
);

-- Append only: what was agreed to, in which words, when, and from where.
CREATE TABLE consents (
    id              TEXT PRIMARY KEY,
    submission_id   TEXT NOT NULL REFERENCES submissions (id),
    consent_version TEXT NOT NULL,
    text_sha256     TEXT NOT NULL,
    purposes        TEXT NOT NULL,
    locale          TEXT,
    ip              TEXT,
    user_agent      TEXT,
    granted_at      BIGINT NOT NULL,
    withdrawn_at    BIGINT
);

CREATE INDEX consents_of_submission ON consents (submission_id);

CREATE TABLE clips (
    id                TEXT PRIMARY KEY,
    submission_id     TEXT NOT NULL REFERENCES submissions (id),
    script_key        TEXT NOT NULL,
    take              BIGINT NOT NULL DEFAULT 1,
    -- The clip that replaced this one after a redo.
    superseded_by     TEXT,
    status            TEXT NOT NULL,
    -- Whole milliseconds; the API shows seconds.
    duration_ms       BIGINT,
    transcript        TEXT,
    stream_video_uid  TEXT,
    media_type        TEXT,
    media_bytes       BIGINT,
    media_sha256      TEXT,
    upload_error      TEXT,
    used_in_marketing_at BIGINT,
    created_at        BIGINT NOT NULL,
    CONSTRAINT clip_status CHECK (status IN ('recording', 'uploaded', 'approved', 'rejected', 'redo_requested')),
    CONSTRAINT clip_take_once UNIQUE (submission_id, script_key, take)
);

-- Mail waits here in the transaction that caused it, so that neither is ever lost without the other.
-- Its text is made when it is sent: the link in it is a credential and is not stored.
CREATE TABLE emails (
    id              TEXT PRIMARY KEY,
    workspace_id    TEXT NOT NULL REFERENCES workspaces (id),
    kind            TEXT NOT NULL,
    dedupe_key      TEXT NOT NULL,
    invitation_id   TEXT REFERENCES invitations (id),
    recipient       TEXT NOT NULL,
    message_id      TEXT NOT NULL,
    state           TEXT NOT NULL,
    attempts_made   BIGINT NOT NULL DEFAULT 0,
    next_attempt_at BIGINT,
    -- Since when it is being sent: whoever claimed it and never came back leaves it `unknown`.
    claimed_at      BIGINT,
    last_error      TEXT,
    created_at      BIGINT NOT NULL,
    completed_at    BIGINT,
    CONSTRAINT email_state CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'unknown')),
    CONSTRAINT email_queued_is_due CHECK ((state = 'queued') = (next_attempt_at IS NOT NULL)),
    CONSTRAINT email_sending_since CHECK ((state = 'sending') = (claimed_at IS NOT NULL)),
    CONSTRAINT email_ended_when CHECK ((state IN ('queued', 'sending')) = (completed_at IS NULL)),
    CONSTRAINT email_once UNIQUE (kind, dedupe_key)
);

CREATE INDEX emails_due ON emails (next_attempt_at) WHERE state = 'queued';
CREATE INDEX emails_sending ON emails (claimed_at) WHERE state = 'sending';

-- Addresses that must not be written to, as hashes: the address itself may have been erased.
CREATE TABLE suppressions (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    email_sha256 TEXT NOT NULL,
    reason       TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, email_sha256),
    CONSTRAINT suppression_reason CHECK (reason IN ('bounce', 'complaint', 'unsubscribe', 'erased'))
);
