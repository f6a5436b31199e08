ALTER TABLE connections ADD COLUMN resting boolean NOT NULL DEFAULT false;
UPDATE connections c SET resting = true FROM workspaces w WHERE w.id = c.workspace_id AND NOT w.active;
DROP INDEX connections_due, connections_unplanned;
CREATE INDEX connections_due ON connections (next_due) WHERE next_due IS NOT NULL AND NOT resting;
CREATE INDEX connections_unplanned ON connections (workspace_id, id)
    WHERE next_due IS NULL AND NOT resting AND NOT paused AND attention IS NULL
        AND schedule IS DISTINCT FROM 'manual';

-- A connection rests with its workspace: what rests is in no index that the planner reads.
CREATE FUNCTION connections_rest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE connections SET resting = NOT NEW.active WHERE workspace_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER workspaces_rest AFTER UPDATE OF active ON workspaces FOR EACH ROW
    WHEN (NEW.active <> OLD.active) EXECUTE FUNCTION connections_rest();
CREATE FUNCTION connection_rests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.resting := NOT (SELECT active FROM workspaces WHERE id = NEW.workspace_id FOR KEY SHARE);
    RETURN NEW;
END $$;
CREATE TRIGGER connections_rest BEFORE INSERT ON connections FOR EACH ROW
    EXECUTE FUNCTION connection_rests();
