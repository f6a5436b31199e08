-- Jobs and schedules: what is to be done, when, and by whom. Never edit this file.

CREATE FUNCTION moment() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT clock_timestamp()
        + coalesce(nullif(current_setting('syncline.clock_shift', true), ''), '0')::interval
$$;

ALTER TABLE workspaces ADD active boolean NOT NULL DEFAULT true;
ALTER TABLE connections
    ADD schedule   text,
    ADD paused     boolean NOT NULL DEFAULT false,
    ADD attention  jsonb,
    ADD next_due   timestamptz,
    ADD last_slot  timestamptz;
CREATE INDEX connections_due ON connections (next_due) WHERE next_due IS NOT NULL;
CREATE INDEX connections_unplanned ON connections (workspace_id, id)
    WHERE next_due IS NULL AND NOT paused AND attention IS NULL
        AND schedule IS DISTINCT FROM 'manual';

CREATE TABLE jobs (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id   bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    connection_id  bigint,
    kind           text NOT NULL,
    payload        jsonb NOT NULL DEFAULT '{}',
    version        integer NOT NULL DEFAULT 1,
    state          text NOT NULL DEFAULT 'ready'
                   CHECK (state IN ('waiting', 'ready', 'running', 'dead', 'cancelled')),
    priority       smallint NOT NULL DEFAULT 0,
    turn           bigint NOT NULL DEFAULT 0,
    run_at         timestamptz NOT NULL DEFAULT moment(),
    attempts       integer NOT NULL DEFAULT 0,
    epoch          integer NOT NULL DEFAULT 0,
    owner          text,
    lease_until    timestamptz,
    cancel         boolean NOT NULL DEFAULT false,
    dedupe_key     text,
    limit_key      text,
    error          jsonb,
    created_at     timestamptz NOT NULL DEFAULT moment(),
    started_at     timestamptz,
    ended_at       timestamptz,
    FOREIGN KEY (workspace_id, connection_id) REFERENCES connections ON DELETE CASCADE,
    CHECK ((state = 'running') = (owner IS NOT NULL)),
    CHECK ((state = 'running') = (lease_until IS NOT NULL))
) WITH (fillfactor = 70);
CREATE INDEX jobs_ready ON jobs (priority DESC, turn, id) WHERE state = 'ready';
CREATE INDEX jobs_turns ON jobs (workspace_id, priority, turn) WHERE state = 'ready';
CREATE INDEX jobs_waiting ON jobs (run_at) WHERE state = 'waiting';
CREATE INDEX jobs_leases ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_of_connection ON jobs (workspace_id, connection_id);
CREATE UNIQUE INDEX jobs_dedupe ON jobs (dedupe_key)
    WHERE state IN ('waiting', 'ready', 'running');

CREATE FUNCTION claim_jobs(claimer text, most integer, lease_seconds integer, per_key integer)
RETURNS SETOF jobs LANGUAGE plpgsql AS $$
BEGIN
    -- A claim that a crash of the server undoes leaves a job that is ready: nothing is lost.
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM pg_advisory_xact_lock(hashtextextended('syncline claim', 0));
    RETURN QUERY
    WITH busy AS MATERIALIZED (
        SELECT b.limit_key, count(*) AS jobs FROM jobs b
        WHERE b.state = 'running' AND b.limit_key IS NOT NULL GROUP BY b.limit_key
    ), nearest AS MATERIALIZED (
        SELECT n.id, n.limit_key, n.priority, n.turn FROM jobs n
        WHERE n.state = 'ready' AND (n.limit_key IS NULL OR n.limit_key NOT IN (
            SELECT f.limit_key FROM busy f WHERE f.jobs >= per_key))
        ORDER BY n.priority DESC, n.turn, n.id LIMIT most * 4
    ), ranked AS (
        SELECT n.*, row_number() OVER (
            PARTITION BY n.limit_key ORDER BY n.priority DESC, n.turn, n.id) AS nth
        FROM nearest n
    ), chosen AS (
        SELECT r.id FROM ranked r LEFT JOIN busy b ON b.limit_key = r.limit_key
        WHERE r.limit_key IS NULL OR r.nth + coalesce(b.jobs, 0) <= per_key
        ORDER BY r.priority DESC, r.turn, r.id LIMIT most
    )
    UPDATE jobs j SET state = 'running', attempts = j.attempts + 1, epoch = j.epoch + 1,
        owner = claimer, lease_until = moment() + make_interval(secs => lease_seconds),
        started_at = moment(), ended_at = NULL, cancel = false
    FROM chosen c WHERE j.id = c.id AND j.state = 'ready' RETURNING j.*;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON jobs TO syncline_app;
GRANT USAGE, SELECT ON jobs_id_seq TO syncline_app;
