-- Events, alerts, freshness, progress and upkeep. Never edit this file.

ALTER TABLE connections
    ADD behind_since      timestamptz,
    ADD fresh_at          timestamptz,
    ADD freshness_seconds integer CHECK (freshness_seconds > 0);
ALTER TABLE runs ADD progress jsonb;
CREATE INDEX runs_age ON runs (ended_at);
UPDATE connections c SET fresh_at = r.started_at FROM (
    SELECT workspace_id, connection_id, max(started_at) AS started_at FROM runs
    WHERE state = 'done' AND coalesce((counts ->> 'incomplete')::integer, 0) = 0
    GROUP BY workspace_id, connection_id
) r WHERE c.workspace_id = r.workspace_id AND c.id = r.connection_id;

CREATE TABLE events (
    workspace_id   bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    id             bigint GENERATED ALWAYS AS IDENTITY,
    kind           text NOT NULL,
    connection_id  bigint,
    payload        jsonb NOT NULL DEFAULT '{}',
    version        integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT moment(),
    txid           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX events_order ON events (txid, id);
CREATE INDEX events_age ON events (created_at);

CREATE TABLE event_readers (
    name      text PRIMARY KEY,
    server    bigint NOT NULL,
    txid      xid8 NOT NULL,
    event_id  bigint NOT NULL
);

CREATE TABLE troubles (
    workspace_id   bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    connection_id  bigint NOT NULL,
    kind           text NOT NULL,
    since          timestamptz NOT NULL DEFAULT moment(),
    PRIMARY KEY (workspace_id, connection_id, kind)
);

CREATE TABLE alerts (
    workspace_id   bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    connection_id  bigint NOT NULL,
    kind           text NOT NULL,
    open           boolean NOT NULL,
    since          timestamptz NOT NULL,
    told_at        timestamptz,
    PRIMARY KEY (workspace_id, connection_id, kind)
);
CREATE TABLE alert_deliveries (
    workspace_id   bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    id             bigint GENERATED ALWAYS AS IDENTITY,
    connection_id  bigint NOT NULL,
    kind           text NOT NULL,
    channel        text NOT NULL,
    message        jsonb NOT NULL,
    due_at         timestamptz NOT NULL,
    attempts       integer NOT NULL DEFAULT 0,
    claimed_until  timestamptz,
    error          text,
    created_at     timestamptz NOT NULL DEFAULT moment(),
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX alert_deliveries_due ON alert_deliveries (channel, due_at);

CREATE TABLE upkeep (
    service   text PRIMARY KEY,
    due_at    timestamptz NOT NULL,
    ended_at  timestamptz,
    done      bigint
);

CREATE FUNCTION raise_trouble(
    workspace bigint, connection bigint, what text, detail jsonb, once boolean
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO troubles (workspace_id, connection_id, kind) VALUES (workspace, connection, what)
        ON CONFLICT DO NOTHING;
    IF FOUND OR NOT once THEN
        INSERT INTO events (workspace_id, kind, connection_id, payload)
            VALUES (workspace, what, connection, detail);
    END IF;
END $$;

CREATE FUNCTION settle_troubles(workspace bigint, connection bigint, whats text[])
RETURNS void LANGUAGE sql AS $$
    WITH over AS (
        DELETE FROM troubles t WHERE t.workspace_id = workspace AND t.connection_id = connection
            AND t.kind = ANY(whats) RETURNING t.kind, t.since
    )
    INSERT INTO events (workspace_id, kind, connection_id, payload)
    SELECT workspace, 'recovered', connection,
           jsonb_build_object('kind', o.kind, 'since', o.since) FROM over o ORDER BY o.kind
$$;

CREATE FUNCTION job_has_died() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    detail jsonb := jsonb_build_object('job', NEW.id, 'kind', NEW.kind, 'error', NEW.error);
BEGIN
    IF NEW.connection_id IS NOT NULL AND NEW.kind = 'sync' THEN
        PERFORM raise_trouble(NEW.workspace_id, NEW.connection_id, 'job_dead', detail, false);
    ELSE
        INSERT INTO events (workspace_id, kind, connection_id, payload)
            VALUES (NEW.workspace_id, 'job_dead', NEW.connection_id, detail);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_died AFTER UPDATE OF state ON jobs FOR EACH ROW
    WHEN (NEW.state = 'dead' AND OLD.state <> 'dead') EXECUTE FUNCTION job_has_died();

CREATE FUNCTION connection_needs_attention() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM raise_trouble(NEW.workspace_id, NEW.id, CASE NEW.attention ->> 'code'
        WHEN 'unauthorized' THEN 'authentication_failed' ELSE 'needs_attention' END,
        jsonb_build_object('error', NEW.attention), true);
    RETURN NULL;
END $$;
CREATE TRIGGER connections_attention AFTER UPDATE OF attention ON connections FOR EACH ROW
    WHEN (NEW.attention IS NOT NULL) EXECUTE FUNCTION connection_needs_attention();

CREATE FUNCTION run_has_ended() RETURNS trigger LANGUAGE plpgsql AS $$
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
    IF coalesce((NEW.counts ->> 'incomplete')::integer, 0) = 0 THEN
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
CREATE TRIGGER runs_ended AFTER UPDATE OF state ON runs FOR EACH ROW
    WHEN (OLD.state = 'running' AND NEW.state IN ('done', 'failed'))
    EXECUTE FUNCTION run_has_ended();

GRANT SELECT, INSERT, UPDATE, DELETE
    ON events, event_readers, troubles, alerts, alert_deliveries, upkeep TO syncline_app;
GRANT USAGE, SELECT ON events_id_seq, alert_deliveries_id_seq TO syncline_app;
