-- From here on the database holds what REFERENCES says. It did not before, so what points at nothing goes first; and the
-- attempts that were recorded after their delivery was deleted, which nothing would ever have found again.
--
-- Parents are looked at before their children: a row that goes may leave others behind.

DELETE FROM api_keys WHERE workspace_id NOT IN (SELECT id FROM workspaces);

DELETE FROM subscriptions WHERE workspace_id NOT IN (SELECT id FROM workspaces);

DELETE FROM recoveries
WHERE workspace_id NOT IN (SELECT id FROM workspaces) OR subscription_id NOT IN (SELECT id FROM subscriptions);

DELETE FROM collectors WHERE workspace_id NOT IN (SELECT id FROM workspaces);

DELETE FROM scripts WHERE collector_id NOT IN (SELECT id FROM collectors);

DELETE FROM submissions
WHERE workspace_id NOT IN (SELECT id FROM workspaces) OR collector_id NOT IN (SELECT id FROM collectors);

DELETE FROM consents WHERE submission_id NOT IN (SELECT id FROM submissions);

DELETE FROM clips WHERE submission_id NOT IN (SELECT id FROM submissions);

DELETE FROM invitations
WHERE workspace_id NOT IN (SELECT id FROM workspaces) OR submission_id NOT IN (SELECT id FROM submissions);

DELETE FROM emails
WHERE workspace_id NOT IN (SELECT id FROM workspaces)
   OR (invitation_id IS NOT NULL AND invitation_id NOT IN (SELECT id FROM invitations));

DELETE FROM suppressions WHERE workspace_id NOT IN (SELECT id FROM workspaces);

DELETE FROM events WHERE workspace_id NOT IN (SELECT id FROM workspaces);

DELETE FROM deliveries WHERE NOT EXISTS (
    SELECT 1 FROM events e WHERE e.workspace_id = deliveries.workspace_id AND e.id = deliveries.event_id
);

DELETE FROM deliveries WHERE subscription_id NOT IN (SELECT id FROM subscriptions);

DELETE FROM bodies WHERE event_id NOT IN (SELECT id FROM events);

DELETE FROM attempts WHERE delivery_id NOT IN (SELECT id FROM deliveries);

DELETE FROM idempotency WHERE workspace_id NOT IN (SELECT id FROM workspaces);
