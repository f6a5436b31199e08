-- The schema as it is today. A new database is made from this file; an older one gets here by
-- the migrations beside it, and a test holds both to the same result.
--
-- Every table that holds a workspace's data begins its key with workspace_id.
-- Lock order of a batch: runs, manifest, contents, embeddings, documents; within each, by key.
-- Signatures come after contents, and pairs after signatures.

-- The clock that decides leases and schedules. Tests shift it.
CREATE FUNCTION moment() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT clock_timestamp()
        + coalesce(nullif(current_setting('syncline.clock_shift', true), ''), '0')::interval
$$;

CREATE TABLE workspaces (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE CHECK (name <> ''),
    created_at  timestamptz NOT NULL DEFAULT now(),
    active      boolean NOT NULL DEFAULT true
);

CREATE TABLE connections (
    workspace_id     bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    id               bigint GENERATED ALWAYS AS IDENTITY,
    kind             text NOT NULL,
    name             text NOT NULL CHECK (name <> ''),
    source           text NOT NULL,
    options          jsonb NOT NULL,
    options_version  integer NOT NULL,
    filter           jsonb NOT NULL DEFAULT '{}',
    keep_deleted     boolean NOT NULL DEFAULT false,
    guard_fraction   real NOT NULL DEFAULT 0.3,
    guard_minimum    integer NOT NULL DEFAULT 3,
    recheck_seconds  integer NOT NULL DEFAULT 86400,
    pipeline         bytea,
    created_at       timestamptz NOT NULL DEFAULT now(),
    schedule         text,
    paused           boolean NOT NULL DEFAULT false,
    attention        jsonb,
    next_due         timestamptz,
    last_slot        timestamptz,
    applied          text,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, name)
);
CREATE INDEX connections_source ON connections (workspace_id, source);
CREATE INDEX connections_applied ON connections (applied) WHERE applied IS NOT NULL;
CREATE INDEX connections_due ON connections (next_due) WHERE next_due IS NOT NULL;
CREATE INDEX connections_unplanned ON connections (workspace_id, id)
    WHERE next_due IS NULL AND NOT paused AND attention IS NULL
        AND schedule IS DISTINCT FROM 'manual';

-- What a connection must keep secret, sealed by the vault; `key_id` says with which key.
CREATE TABLE secrets (
    workspace_id   bigint NOT NULL,
    connection_id  bigint NOT NULL,
    sealed         bytea NOT NULL,
    key_id         text NOT NULL,
    version        integer NOT NULL DEFAULT 1,
    changed_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, connection_id),
    FOREIGN KEY (workspace_id, connection_id) REFERENCES connections ON DELETE CASCADE
);

-- One pass over a connection. The row is the run's right to write: see runs.py.
CREATE TABLE runs (
    workspace_id   bigint NOT NULL,
    id             bigint GENERATED ALWAYS AS IDENTITY,
    connection_id  bigint NOT NULL,
    lane           text NOT NULL CHECK (lane IN ('changes', 'reconcile')),
    mode           text NOT NULL,
    state          text NOT NULL CHECK (state IN ('running', 'done', 'failed', 'interrupted')),
    epoch          integer NOT NULL DEFAULT 1,
    owner          text NOT NULL,
    lease_until    timestamptz NOT NULL,
    started_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at       timestamptz,
    error          jsonb,
    counts         jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE UNIQUE INDEX runs_one_per_lane ON runs (workspace_id, connection_id, lane)
    WHERE state = 'running';
CREATE INDEX runs_of_connection ON runs (workspace_id, connection_id, id DESC);

-- A committed batch. Its number makes sending it again harmless.
CREATE TABLE run_batches (
    workspace_id  bigint NOT NULL,
    run_id        bigint NOT NULL,
    seq           integer NOT NULL,
    result        jsonb NOT NULL,
    PRIMARY KEY (workspace_id, run_id, seq),
    FOREIGN KEY (workspace_id, run_id) REFERENCES runs ON DELETE CASCADE
);

-- What a run has seen listed; emptied when the run is closed.
CREATE TABLE run_seen (
    workspace_id  bigint NOT NULL,
    run_id        bigint NOT NULL,
    entry_key     bytea NOT NULL,
    PRIMARY KEY (workspace_id, run_id, entry_key)
);

-- What a person may want to read about a run: one line for each thing out of the ordinary.
CREATE TABLE run_items (
    workspace_id  bigint NOT NULL,
    run_id        bigint NOT NULL,
    n             bigint GENERATED ALWAYS AS IDENTITY,
    kind          text NOT NULL,
    entry_id      text,
    reason        text NOT NULL,
    detail        jsonb,
    PRIMARY KEY (workspace_id, run_id, n),
    FOREIGN KEY (workspace_id, run_id) REFERENCES runs ON DELETE CASCADE
);

CREATE TABLE cursors (
    workspace_id   bigint NOT NULL,
    connection_id  bigint NOT NULL,
    partition      text NOT NULL,
    version        integer NOT NULL,
    value          jsonb NOT NULL,
    run_id         bigint NOT NULL,
    stored_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, connection_id, partition),
    FOREIGN KEY (workspace_id, connection_id) REFERENCES connections ON DELETE CASCADE
);

-- Every entry of a connection, as we know it.
CREATE TABLE manifest (
    workspace_id     bigint NOT NULL,
    connection_id    bigint NOT NULL,
    entry_key        bytea NOT NULL,
    entry_id         text NOT NULL,
    partition        text NOT NULL,
    parent           text,
    locator          jsonb NOT NULL,
    state            text NOT NULL
                     CHECK (state IN ('stored', 'filtered', 'alias', 'absent', 'failed', 'gone')),
    reason           text,
    alias_of         text,
    alias_key        bytea,
    version          text,
    validators       jsonb NOT NULL DEFAULT '{}',
    checked_at       timestamptz NOT NULL DEFAULT now(),
    fingerprint      bytea,
    content_hash     bytea,
    attributes_hash  bytea,
    revision         bigint NOT NULL DEFAULT 1,
    failures         integer NOT NULL DEFAULT 0,
    failure          jsonb,
    gone             text CHECK (gone IN ('pending', 'held', 'kept')),
    gone_reason      text,
    gone_since       timestamptz,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    written_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, connection_id, entry_key),
    FOREIGN KEY (workspace_id, connection_id) REFERENCES connections ON DELETE CASCADE
) WITH (fillfactor = 85);
CREATE INDEX manifest_failing ON manifest (workspace_id, connection_id) WHERE failures > 0;
CREATE INDEX manifest_aliases ON manifest (workspace_id, connection_id, alias_key)
    WHERE alias_key IS NOT NULL;
CREATE INDEX manifest_gone ON manifest (workspace_id, connection_id, gone) WHERE gone IS NOT NULL;

-- What came from a source that is dear to ask again, compressed with zlib.
CREATE TABLE originals (
    workspace_id   bigint NOT NULL,
    connection_id  bigint NOT NULL,
    entry_key      bytea NOT NULL,
    envelope       jsonb NOT NULL,
    data           bytea NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, entry_key),
    FOREIGN KEY (workspace_id, connection_id, entry_key) REFERENCES manifest ON DELETE CASCADE
);
ALTER TABLE originals ALTER data SET STORAGE EXTERNAL;

-- A normalised text, once a workspace. Its chunks are born and die in its transactions.
CREATE SEQUENCE content_ids AS bigint CACHE 64;
CREATE TABLE contents (
    workspace_id  bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    id            bigint NOT NULL DEFAULT nextval('content_ids'),
    hash          bytea NOT NULL,
    stemming      text NOT NULL,
    chunking      bytea NOT NULL,
    text          text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, hash)
) PARTITION BY HASH (workspace_id);

CREATE INDEX contents_stemming ON contents (workspace_id, stemming);

CREATE TABLE chunks (
    workspace_id  bigint NOT NULL,
    content_id    bigint NOT NULL,
    n             integer NOT NULL,
    start         integer NOT NULL,
    length        integer NOT NULL,
    hash          bytea NOT NULL,
    text          text NOT NULL,
    headings      text[] NOT NULL,
    id            bigint NOT NULL,
    PRIMARY KEY (workspace_id, content_id, n)
) PARTITION BY HASH (workspace_id);
CREATE INDEX chunks_hash ON chunks (workspace_id, hash);
CREATE UNIQUE INDEX chunks_id ON chunks (workspace_id, id);

-- The full-text index: postings.py has the format. Segments are written once, and merged.
CREATE SEQUENCE chunk_blocks AS bigint MAXVALUE 8796093022207;
CREATE TABLE segments (
    workspace_id  bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    chunks        bigint NOT NULL,
    words         bigint NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE TABLE postings (
    workspace_id  bigint NOT NULL,
    term          text COLLATE "C" NOT NULL,
    segment_id    bigint NOT NULL,
    entries       bytea NOT NULL,
    PRIMARY KEY (workspace_id, term, segment_id)
) PARTITION BY HASH (workspace_id);

DO $$
BEGIN
    FOR i IN 0..7 LOOP
        EXECUTE format('CREATE TABLE contents_%s PARTITION OF contents '
                       'FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i);
        EXECUTE format('CREATE TABLE chunks_%s PARTITION OF chunks '
                       'FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i);
        EXECUTE format('CREATE TABLE postings_%s PARTITION OF postings '
                       'FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i);
        EXECUTE format('ALTER TABLE postings_%s ALTER entries SET STORAGE EXTERNAL', i);
    END LOOP;
END $$;

CREATE TABLE models (
    id         smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    dimension  integer NOT NULL
);

-- One vector for a chunk's text, however many chunks share it.
CREATE TABLE embeddings (
    workspace_id  bigint NOT NULL,
    model_id      smallint NOT NULL,
    chunk_hash    bytea NOT NULL,
    vector        halfvec NOT NULL,
    PRIMARY KEY (workspace_id, model_id, chunk_hash)
) PARTITION BY LIST (workspace_id);
CREATE TABLE embeddings_shared PARTITION OF embeddings DEFAULT;
ALTER TABLE embeddings_shared ALTER vector SET STORAGE PLAIN;

-- An entry's current state in the knowledge base; 'deleted' ones are tombstones.
CREATE TABLE documents (
    workspace_id    bigint NOT NULL,
    id              bigint GENERATED ALWAYS AS IDENTITY,
    connection_id   bigint NOT NULL,
    entry_key       bytea NOT NULL,
    entry_id        text NOT NULL,
    state           text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'deleted')),
    content_id      bigint NOT NULL,
    title           text,
    title_terms     tsvector NOT NULL,
    url             text,
    language        text,
    authors         text[] NOT NULL DEFAULT '{}',
    categories      text[] NOT NULL DEFAULT '{}',
    tags            text[] NOT NULL DEFAULT '{}',
    properties      jsonb NOT NULL DEFAULT '{}',
    principals      text[],
    source_created  timestamptz,
    source_updated  timestamptz,
    created_run     bigint NOT NULL,
    changed_run     bigint NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    changed_at      timestamptz NOT NULL DEFAULT now(),
    deleted_at      timestamptz,
    deleted_reason  text,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, connection_id, entry_key),
    FOREIGN KEY (workspace_id, connection_id) REFERENCES connections ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, content_id) REFERENCES contents,
    CHECK ((state = 'deleted') = (deleted_at IS NOT NULL))
);
CREATE INDEX documents_content ON documents (workspace_id, content_id);
CREATE INDEX documents_url ON documents (workspace_id, url) WHERE url IS NOT NULL;
CREATE INDEX documents_title ON documents USING gin (title_terms) WITH (fastupdate = on);
CREATE INDEX documents_deleted ON documents (workspace_id, deleted_at) WHERE state = 'deleted';

-- Contents that a document has stopped pointing to: the collector looks at these alone.
CREATE TABLE orphan_candidates (
    workspace_id  bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    content_id    bigint NOT NULL,
    n             bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (workspace_id, n)
);

-- What a content's near-duplicates are found by: the keys of its bands (pipeline/minhash.py).
-- `compared`: its pairs with everything that was there are in near_pairs.
CREATE TABLE content_signatures (
    workspace_id  bigint NOT NULL,
    content_id    bigint NOT NULL,
    version       smallint NOT NULL,
    bands         bigint[] NOT NULL,
    compared      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (workspace_id, content_id),
    FOREIGN KEY (workspace_id, content_id) REFERENCES contents ON DELETE CASCADE
);
CREATE INDEX content_signatures_waiting ON content_signatures (workspace_id, content_id)
    WHERE NOT compared;

-- The same the other way round; written and removed with the signature.
CREATE TABLE content_bands (
    workspace_id  bigint NOT NULL,
    band          bigint NOT NULL,
    content_id    bigint NOT NULL,
    PRIMARY KEY (workspace_id, band, content_id)
);

-- Contents that are much alike: what part of all their shingles is in both, exactly.
CREATE TABLE near_pairs (
    workspace_id    bigint NOT NULL,
    a               bigint NOT NULL,
    b               bigint NOT NULL,
    jaccard         double precision NOT NULL,
    numbers_differ  boolean NOT NULL,
    PRIMARY KEY (workspace_id, a, b),
    FOREIGN KEY (workspace_id, a) REFERENCES content_signatures ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, b) REFERENCES content_signatures ON DELETE CASCADE,
    CHECK (a < b)
);
CREATE INDEX near_pairs_b ON near_pairs (workspace_id, b, a);

-- A person's word on two documents. It stands through their edits and moves.
CREATE TABLE near_decisions (
    workspace_id  bigint NOT NULL,
    a             bigint NOT NULL,
    b             bigint NOT NULL,
    same          boolean NOT NULL,
    decided_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, a, b),
    FOREIGN KEY (workspace_id, a) REFERENCES documents ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, b) REFERENCES documents ON DELETE CASCADE,
    CHECK (a < b)
);
CREATE INDEX near_decisions_b ON near_decisions (workspace_id, b);

-- What is to be done, by whoever claims it: see jobs.py. A job that is done has no row.
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
    error          jsonb,
    created_at     timestamptz NOT NULL DEFAULT moment(),
    started_at     timestamptz,
    ended_at       timestamptz,
    limit_keys     text[],
    FOREIGN KEY (workspace_id, connection_id) REFERENCES connections ON DELETE CASCADE,
    CHECK ((state = 'running') = (owner IS NOT NULL)),
    CHECK ((state = 'running') = (lease_until IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX jobs_ready ON jobs (priority DESC, turn, id) WHERE state = 'ready';
CREATE INDEX jobs_turns ON jobs (workspace_id, priority, turn) WHERE state = 'ready';
CREATE INDEX jobs_waiting ON jobs (run_at) WHERE state = 'waiting';
CREATE INDEX jobs_running ON jobs (limit_keys) WHERE state = 'running';
CREATE INDEX jobs_of_connection ON jobs (workspace_id, connection_id);
CREATE UNIQUE INDEX jobs_dedupe ON jobs (dedupe_key)
    WHERE state IN ('waiting', 'ready', 'running');

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

-- Statistics belong to the owner of a table; the application may ask for them to be taken.
CREATE FUNCTION refresh_statistics() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = syncline, pg_catalog AS $$
BEGIN
    ANALYZE (SKIP_LOCKED) manifest, documents, run_seen, embeddings_shared, content_signatures,
        near_pairs, segments;
    FOR i IN 0..7 LOOP
        EXECUTE format('ANALYZE (SKIP_LOCKED) contents_%s, chunks_%s, postings_%s', i, i, i);
    END LOOP;
    -- What lies in the pending list is read through by every search.
    PERFORM gin_clean_pending_list('documents_title');
END $$;
REVOKE ALL ON FUNCTION refresh_statistics() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refresh_statistics() TO syncline_app;

-- Columns that no plan depends on, and that are long.
ALTER TABLE manifest ALTER locator SET STATISTICS 0, ALTER validators SET STATISTICS 0,
    ALTER failure SET STATISTICS 0, ALTER entry_id SET STATISTICS 0;
ALTER TABLE documents ALTER properties SET STATISTICS 0, ALTER title SET STATISTICS 0;
ALTER TABLE embeddings_shared ALTER vector SET STATISTICS 0;
ALTER TABLE content_signatures ALTER bands SET STATISTICS 0;
DO $$
BEGIN
    FOR i IN 0..7 LOOP
        EXECUTE format('ALTER TABLE contents_%s ALTER text SET STATISTICS 0', i);
        EXECUTE format('ALTER TABLE chunks_%s ALTER text SET STATISTICS 0,'
                       ' ALTER headings SET STATISTICS 0', i);
        EXECUTE format('ALTER TABLE postings_%s ALTER entries SET STATISTICS 0', i);
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA syncline TO syncline_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA syncline TO syncline_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA syncline TO syncline_app;
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM syncline_app;
