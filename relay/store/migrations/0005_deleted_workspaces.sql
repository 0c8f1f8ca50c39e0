-- Since when a workspace is deleted: nobody can reach it any more, and its events go in small steps. It has given up its name.
ALTER TABLE workspaces ADD COLUMN deleted_at BIGINT;
