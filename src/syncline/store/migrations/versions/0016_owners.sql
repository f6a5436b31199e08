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
