-- name: clock_seen
SELECT seen_at FROM clock WHERE name = 'server';

-- name: clock_newest_events
-- scans: every workspace, once for a file
-- Of each workspace, by its last id; only for a file in which no time has been kept yet.
SELECT (
    SELECT e.created_at FROM events e WHERE e.workspace_id = w.id ORDER BY e.workspace_id DESC, e.id DESC LIMIT 1
) AS created_at
FROM workspaces w;

-- name: clock_keep
INSERT INTO clock (name, seen_at) VALUES ('server', :seen_at)
ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at;
