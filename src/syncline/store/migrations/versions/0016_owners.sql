-- What is told of a job is told by its owner.
CREATE OR REPLACE FUNCTION finish_jobs(outcomes jsonb, most_attempts integer)
RETURNS TABLE (id bigint, state text, limited boolean) LANGUAGE plpgsql
SET enable_bitmapscan = off SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    DELETE FROM jobs j
    USING jsonb_to_recordset(outcomes) AS u (id bigint, epoch integer, owner text, outcome text)
    WHERE u.outcome = 'done' AND j.id = u.id AND j.epoch = u.epoch AND j.state = 'running'
        AND j.owner = coalesce(u.owner, j.owner)
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
    FROM jsonb_to_recordset(outcomes) AS u (id bigint, epoch integer, owner text, outcome text,
            wait float8, error jsonb, losses integer)
        JOIN jobs k ON k.id = u.id
        CROSS JOIN LATERAL (SELECT CASE WHEN u.outcome <> 'lost' THEN 1
            WHEN k.losses = 0 OR k.outlived OR NOT EXISTS (
                SELECT FROM jobs o WHERE o.losses > 0 AND o.id <> k.id) THEN k.losses + 1
            ELSE k.losses END AS lost) l
        CROSS JOIN LATERAL (SELECT l.lost, u.outcome = 'retry'
            OR u.outcome = 'lost' AND l.lost > u.losses AS tried) e
    WHERE u.outcome <> 'done' AND j.id = u.id AND j.epoch = u.epoch AND j.state = 'running'
        AND j.owner = coalesce(u.owner, j.owner)
    RETURNING j.id, j.state, j.limit_keys IS NOT NULL;
END $$;

-- A backfill reads a part: that does not make the whole fresh.
CREATE OR REPLACE FUNCTION run_has_ended() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    over text[] := ARRAY['run_failing', 'authentication_failed', 'needs_attention', 'job_dead'];
BEGIN
    IF NEW.state = 'failed' THEN
        IF (SELECT count(*) = 3 AND bool_and(r.state = 'failed') FROM (
                SELECT state FROM runs WHERE workspace_id = NEW.workspace_id
                    AND connection_id = NEW.connection_id AND state IN ('done', 'failed')
                ORDER BY id DESC LIMIT 3) r) THEN
            PERFORM raise_trouble(NEW.workspace_id, NEW.connection_id, 'run_failing',
                jsonb_build_object('run', NEW.id, 'error', NEW.error), true);
        END IF;
        RETURN NULL;
    END IF;
    IF coalesce((NEW.counts ->> 'incomplete')::integer, 0) = 0 AND NEW.mode <> 'backfill' THEN
        UPDATE connections SET fresh_at = NEW.started_at, behind_since = NULL
            WHERE workspace_id = NEW.workspace_id AND id = NEW.connection_id;
        over := over || 'freshness_missed'::text;
    END IF;
    IF NOT EXISTS (SELECT FROM manifest WHERE workspace_id = NEW.workspace_id
            AND connection_id = NEW.connection_id AND gone = 'held') THEN
        over := over || 'deletions_held'::text;
    END IF;
    PERFORM settle_troubles(NEW.workspace_id, NEW.connection_id, over);
    RETURN NULL;
END $$;
