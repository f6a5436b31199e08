ALTER TABLE jobs ADD COLUMN losses integer NOT NULL DEFAULT 0,
    ADD COLUMN outlived boolean NOT NULL DEFAULT false;
CREATE INDEX jobs_losing ON jobs (id) WHERE losses > 0;

-- A worker that does not say which kinds of jobs it knows is one from before there were others.
DROP FUNCTION claim_jobs(text, integer, integer, integer);
CREATE FUNCTION claim_jobs(claimer text, most integer, lease_seconds integer, per_key integer,
    kinds text[] DEFAULT '{sync,reconcile,partition}')
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
        WHERE n.state = 'ready' AND (kinds IS NULL OR n.kind = ANY(kinds))
            AND (n.limit_keys IS NULL OR NOT n.limit_keys && ARRAY(
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

CREATE OR REPLACE FUNCTION finish_jobs(outcomes jsonb, most_attempts integer)
RETURNS TABLE (id bigint, state text, limited boolean) LANGUAGE plpgsql
SET enable_bitmapscan = off SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    DELETE FROM jobs j
    USING jsonb_to_recordset(outcomes) AS u (id bigint, epoch integer, outcome text)
    WHERE u.outcome = 'done' AND j.id = u.id AND j.epoch = u.epoch AND j.state = 'running'
    RETURNING j.id, 'done', j.limit_keys IS NOT NULL;
    IF FOUND AND EXISTS (SELECT FROM jobs j WHERE j.losses > 0) THEN
        -- The database is not away: those that have lost it and wait are outlived by others.
        UPDATE jobs j SET outlived = true WHERE j.id IN (
            SELECT o.id FROM jobs o WHERE o.losses > 0 AND o.state = 'waiting' AND NOT o.outlived
            FOR UPDATE SKIP LOCKED);
    END IF;
    IF NOT outcomes @? '$[*] ? (@.outcome != "done")' THEN
        RETURN;
    END IF;
    RETURN QUERY
    UPDATE jobs j SET owner = NULL, lease_until = NULL, ended_at = moment(), cancel = false,
        state = CASE WHEN j.cancel THEN 'cancelled'
                     WHEN u.outcome = 'dead' OR e.tried AND j.attempts >= most_attempts THEN 'dead'
                     WHEN u.wait > 0 THEN 'waiting' ELSE 'ready' END,
        attempts = j.attempts - CASE WHEN e.tried OR u.outcome = 'dead' THEN 0 ELSE 1 END,
        run_at = moment() + make_interval(secs => u.wait * 2 ^ least(e.lost - 1, 6)),
        losses = CASE u.outcome WHEN 'lost' THEN e.lost WHEN 'released' THEN j.losses ELSE 0 END,
        outlived = u.outcome = 'released' AND j.outlived,
        error = CASE WHEN u.outcome = 'lost' AND e.tried THEN u.error || jsonb_build_object('message',
            format('%s (%s times in a row, while other jobs did not lose it)',
                   u.error ->> 'message', e.lost)) ELSE coalesce(u.error, j.error) END
    FROM jsonb_to_recordset(outcomes) AS u (id bigint, epoch integer, outcome text, wait float8,
            error jsonb, losses integer)
        JOIN jobs k ON k.id = u.id
        CROSS JOIN LATERAL (SELECT CASE WHEN u.outcome <> 'lost' THEN 1
            WHEN k.losses = 0 OR k.outlived OR NOT EXISTS (
                SELECT FROM jobs o WHERE o.losses > 0 AND o.id <> k.id) THEN k.losses + 1
            ELSE k.losses END AS lost) l
        CROSS JOIN LATERAL (SELECT l.lost, u.outcome = 'retry'
            OR u.outcome = 'lost' AND l.lost > u.losses AS tried) e
    WHERE u.outcome <> 'done' AND j.id = u.id AND j.epoch = u.epoch AND j.state = 'running'
    RETURNING j.id, j.state, j.limit_keys IS NOT NULL;
END $$;
