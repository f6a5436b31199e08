-- A run's partitions are jobs that several workers read: see parts.py.
ALTER TABLE runs ADD COLUMN parts integer;

ALTER TABLE run_batches ADD COLUMN part integer NOT NULL DEFAULT 0,
    ADD COLUMN attempt integer NOT NULL DEFAULT 0, DROP CONSTRAINT run_batches_pkey,
    ADD PRIMARY KEY (workspace_id, run_id, part, attempt, seq);
ALTER TABLE run_seen ADD COLUMN part integer NOT NULL DEFAULT 0,
    ADD COLUMN attempt integer NOT NULL DEFAULT 0, DROP CONSTRAINT run_seen_pkey,
    ADD PRIMARY KEY (workspace_id, run_id, entry_key, part, attempt);

-- What a run that many workers share is made of: its opening (0), its partitions from 1 on, and its
-- closing. See parts.py.
CREATE TABLE run_parts (
    workspace_id  bigint NOT NULL,
    run_id        bigint NOT NULL,
    part          integer NOT NULL,
    partition     text,
    title         text NOT NULL DEFAULT '',
    attempt       integer NOT NULL DEFAULT 0,
    over          boolean NOT NULL DEFAULT false,
    counts        jsonb NOT NULL DEFAULT '{}',
    progress      jsonb,
    cursor        jsonb,
    aliases       jsonb,
    PRIMARY KEY (workspace_id, run_id, part),
    FOREIGN KEY (workspace_id, run_id) REFERENCES runs ON DELETE CASCADE
);

-- Whoever waits for the last of a run's partitions is woken by each that will not be read any more.
-- The row may be in use, by who is about to look at them anyhow.
CREATE FUNCTION partition_has_died() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE jobs SET state = 'ready', run_at = moment() WHERE id = (
        SELECT id FROM jobs WHERE id = (NEW.payload ->> 'job')::bigint AND state = 'waiting'
        FOR UPDATE SKIP LOCKED);
    IF FOUND THEN
        PERFORM pg_notify('syncline_jobs', '');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_partition_died AFTER UPDATE OF state ON jobs FOR EACH ROW
    WHEN (NEW.kind = 'partition' AND NEW.state IN ('dead', 'cancelled'))
    EXECUTE FUNCTION partition_has_died();

GRANT SELECT, INSERT, UPDATE, DELETE ON run_parts TO syncline_app;
