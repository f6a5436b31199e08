-- Jobs may have several limit keys, and the queue is read along its indexes. Never edit this file.

ALTER TABLE jobs ADD limit_keys text[];
UPDATE jobs SET limit_keys = ARRAY[limit_key] WHERE limit_key IS NOT NULL;
ALTER TABLE jobs DROP limit_key;
ALTER TABLE jobs SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
                      autovacuum_vacuum_cost_delay = 0);
DROP INDEX jobs_leases;
CREATE INDEX jobs_running ON jobs (limit_keys) WHERE state = 'running';
DROP FUNCTION claim_jobs(text, integer, integer, integer);

-- A queue is empty one moment and has 100,000 jobs the next. So its functions plan once, and read it
-- along its indexes whatever the statistics say. (Only a plain index scan marks the entries of jobs
-- that are gone, which the next one then passes over.)
CREATE FUNCTION claim_jobs(claimer text, most integer, lease_seconds integer, per_key integer)
RETURNS SETOF jobs LANGUAGE plpgsql
SET enable_bitmapscan = off SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    claimed_at timestamptz := moment();
BEGIN
    -- A claim that a crash of the server undoes leaves a job that is ready: nothing is lost.
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM pg_advisory_xact_lock(hashtextextended('syncline claim', 0));
    RETURN QUERY
    WITH busy AS MATERIALIZED (
        SELECT k.key, count(*) AS jobs FROM jobs b, unnest(b.limit_keys) AS k (key)
        WHERE b.state = 'running' AND b.limit_keys IS NOT NULL GROUP BY k.key
    ), nearest AS MATERIALIZED (
        SELECT n.id, n.limit_keys, n.priority, n.turn FROM jobs n
        WHERE n.state = 'ready' AND (n.limit_keys IS NULL OR NOT n.limit_keys && ARRAY(
            SELECT f.key FROM busy f WHERE f.jobs >= per_key))
        ORDER BY n.priority DESC, n.turn, n.id LIMIT most * 4
    ), ranked AS (
        SELECT n.id, k.key, row_number() OVER (
            PARTITION BY k.key ORDER BY n.priority DESC, n.turn, n.id) AS nth
        FROM nearest n, unnest(n.limit_keys) AS k (key)
    ), crowded AS (
        SELECT r.id FROM ranked r LEFT JOIN busy b ON b.key = r.key
        WHERE r.nth + coalesce(b.jobs, 0) > per_key
    ), chosen AS (
        SELECT n.id FROM nearest n WHERE n.id NOT IN (SELECT c.id FROM crowded c)
        ORDER BY n.priority DESC, n.turn, n.id LIMIT most
    ), ours AS (
        SELECT o.id FROM jobs o WHERE o.id IN (SELECT c.id FROM chosen c) AND o.state = 'ready'
        FOR UPDATE SKIP LOCKED
    )
    UPDATE jobs j SET state = 'running', attempts = j.attempts + 1, epoch = j.epoch + 1,
        owner = claimer, lease_until = claimed_at + make_interval(secs => lease_seconds),
        started_at = claimed_at, ended_at = NULL, cancel = false
    FROM ours o WHERE j.id = o.id RETURNING j.*;
END $$;

-- What came of jobs, where their epochs are still the ones that were claimed: their new states, and
-- whether others may have waited for their end.
CREATE FUNCTION finish_jobs(outcomes jsonb, most_attempts integer)
RETURNS TABLE (id bigint, state text, limited boolean) LANGUAGE plpgsql
SET enable_bitmapscan = off SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    DELETE FROM jobs j
    USING jsonb_to_recordset(outcomes) AS u (id bigint, epoch integer, outcome text)
    WHERE u.outcome = 'done' AND j.id = u.id AND j.epoch = u.epoch AND j.state = 'running'
    RETURNING j.id, 'done', j.limit_keys IS NOT NULL;
    IF NOT outcomes @? '$[*] ? (@.outcome != "done")' THEN
        RETURN;
    END IF;
    RETURN QUERY
    UPDATE jobs j SET owner = NULL, lease_until = NULL, error = coalesce(u.error, j.error),
        state = CASE WHEN j.cancel THEN 'cancelled'
                     WHEN u.outcome = 'dead'
                          OR u.outcome = 'retry' AND j.attempts >= most_attempts THEN 'dead'
                     WHEN u.wait > 0 THEN 'waiting' ELSE 'ready' END,
        attempts = j.attempts - CASE WHEN u.outcome IN ('snooze', 'released') THEN 1 ELSE 0 END,
        run_at = moment() + make_interval(secs => u.wait), ended_at = moment(), cancel = false
    FROM jsonb_to_recordset(outcomes)
        AS u (id bigint, epoch integer, outcome text, wait float8, error jsonb)
    WHERE u.outcome <> 'done' AND j.id = u.id AND j.epoch = u.epoch AND j.state = 'running'
    RETURNING j.id, j.state, j.limit_keys IS NOT NULL;
END $$;

-- Make these jobs, but for those whose dedupe key a live one has, and wake the workers; their ids.
-- A job's turn is one more than its workspace's last, and not less than the turn being served.
CREATE FUNCTION make_jobs(new jsonb) RETURNS SETOF bigint LANGUAGE plpgsql
SET enable_bitmapscan = off SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT g.* FROM ROWS FROM (jsonb_to_recordset(new) AS (
            workspace_id bigint, connection_id bigint, kind text, payload jsonb, version integer,
            priority smallint, dedupe_key text, limit_keys text[])) WITH ORDINALITY
        AS g (workspace_id, connection_id, kind, payload, version, priority, dedupe_key,
              limit_keys, n)
    ), served AS MATERIALIZED (
        SELECT p.priority, coalesce((SELECT j.turn FROM jobs j WHERE j.state = 'ready'
            AND j.priority = p.priority ORDER BY j.turn LIMIT 1), 0) AS turn
        FROM (SELECT DISTINCT g.priority FROM given g) p
    ), begun AS MATERIALIZED (
        SELECT w.workspace_id, w.priority, greatest(s.turn, coalesce((
            SELECT j.turn FROM jobs j WHERE j.state = 'ready' AND j.workspace_id = w.workspace_id
            AND j.priority = w.priority ORDER BY j.turn DESC LIMIT 1), 0)) AS turn
        FROM (SELECT DISTINCT g.workspace_id, g.priority FROM given g) w
        JOIN served s USING (priority)
    )
    INSERT INTO jobs (workspace_id, connection_id, kind, payload, version, priority, turn,
                      dedupe_key, limit_keys)
    SELECT g.workspace_id, g.connection_id, g.kind, g.payload, g.version, g.priority,
           b.turn + row_number() OVER (PARTITION BY g.workspace_id, g.priority ORDER BY g.n),
           g.dedupe_key, nullif(g.limit_keys, '{}')
    FROM given g JOIN begun b USING (workspace_id, priority) ORDER BY g.n
    ON CONFLICT (dedupe_key) WHERE state IN ('waiting', 'ready', 'running') DO NOTHING
    RETURNING jobs.id;
    IF FOUND THEN
        PERFORM pg_notify('syncline_jobs', '');
    END IF;
END $$;
