-- The schema as it is today. A new database is made from this file; an older one gets here by
-- the migrations beside it, and a test holds both to the same result.
--
-- Every table that holds a workspace's data begins its key with workspace_id.
-- Lock order of a batch: runs, manifest, the lock of models.py, contents, embeddings, documents; within each, by key.
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
    behind_since     timestamptz,
    fresh_at         timestamptz,
    freshness_seconds integer CHECK (freshness_seconds > 0),
    resting          boolean NOT NULL DEFAULT false,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, name)
);
CREATE INDEX connections_source ON connections (workspace_id, source);
CREATE INDEX connections_applied ON connections (applied) WHERE applied IS NOT NULL;
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

-- What a connection must keep secret, sealed by the vault; `key_id` says with which key.
CREATE TABLE secrets (
    workspace_id   bigint NOT NULL,
    connection_id  bigint NOT NULL,
    sealed         bytea NOT NULL,
    key_id         text NOT NULL,
    credential     text NOT NULL,
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
    progress       jsonb,
    parts          integer,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE UNIQUE INDEX runs_one_per_lane ON runs (workspace_id, connection_id, lane)
    WHERE state = 'running';
CREATE INDEX runs_of_connection ON runs (workspace_id, connection_id, id DESC);
CREATE INDEX runs_age ON runs (ended_at);

-- A committed batch. Its number makes sending it again harmless.
CREATE TABLE run_batches (
    workspace_id  bigint NOT NULL,
    run_id        bigint NOT NULL,
    seq           integer NOT NULL,
    result        jsonb NOT NULL,
    part          integer NOT NULL DEFAULT 0,
    attempt       integer NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, run_id, part, attempt, seq),
    FOREIGN KEY (workspace_id, run_id) REFERENCES runs ON DELETE CASCADE
);

-- What a run has seen listed; emptied when the run is closed.
CREATE TABLE run_seen (
    workspace_id  bigint NOT NULL,
    run_id        bigint NOT NULL,
    entry_key     bytea NOT NULL,
    part          integer NOT NULL DEFAULT 0,
    attempt       integer NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, run_id, entry_key, part, attempt)
);

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
    dimension  integer NOT NULL,
    kind       text NOT NULL DEFAULT '',
    origin     jsonb NOT NULL DEFAULT '{}'
);

-- Which of them a workspace's passages are embedded with. New ones get the wanted one. The others
-- serve until it has all passages (`complete`), and are collected then.
CREATE TABLE workspace_models (
    workspace_id  bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    model_id      smallint NOT NULL REFERENCES models,
    wanted        boolean NOT NULL DEFAULT false,
    complete      boolean NOT NULL DEFAULT false,
    since         timestamptz NOT NULL DEFAULT moment(),
    trouble       text,
    PRIMARY KEY (workspace_id, model_id)
);
CREATE UNIQUE INDEX workspace_models_wanted ON workspace_models (workspace_id) WHERE wanted;

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
-- `compared`: its pairs with everything that was there are in near_pairs. `place`: the content's in
-- the order of all, by its hash, so that it is the same whenever it came.
CREATE TABLE content_signatures (
    workspace_id  bigint NOT NULL,
    content_id    bigint NOT NULL,
    version       smallint NOT NULL,
    bands         bigint[] NOT NULL,
    compared      boolean NOT NULL DEFAULT false,
    place         bigint NOT NULL,
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
    place         bigint NOT NULL,
    PRIMARY KEY (workspace_id, band, place, content_id)
);

-- Bands that more contents share than are compared each with each: with those at the first places
-- alone, below this one.
CREATE TABLE full_bands (
    workspace_id  bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    band          bigint NOT NULL,
    first_places  bigint NOT NULL,
    PRIMARY KEY (workspace_id, band)
);

-- Contents that are much alike: what part of all their shingles is in both, exactly.
CREATE TABLE near_pairs (
    workspace_id    bigint NOT NULL,
    a               bigint NOT NULL,
    b               bigint NOT NULL,
    jaccard         double precision NOT NULL,
    numbers_differ  boolean NOT NULL,
    younger         bigint NOT NULL,
    elder_place     bigint NOT NULL,
    PRIMARY KEY (workspace_id, a, b),
    FOREIGN KEY (workspace_id, a) REFERENCES content_signatures ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, b) REFERENCES content_signatures ON DELETE CASCADE,
    CHECK (a < b)
);
CREATE INDEX near_pairs_b ON near_pairs (workspace_id, b, a);
CREATE INDEX near_pairs_elders ON near_pairs (workspace_id, younger, elder_place);

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
    losses         integer NOT NULL DEFAULT 0,
    outlived       boolean NOT NULL DEFAULT false,
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
CREATE INDEX jobs_losing ON jobs (id) WHERE losses > 0;
CREATE UNIQUE INDEX jobs_dedupe ON jobs (dedupe_key)
    WHERE state IN ('waiting', 'ready', 'running');

-- A queue is empty one moment and has 100,000 jobs the next. So its functions plan once, and read it
-- along its indexes whatever the statistics say. (Only a plain index scan marks the entries of jobs
-- that are gone, which the next one then passes over.)
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

-- What came of jobs, where they are still whose they were: their new states, and whether others may
-- have waited for their end. (Workers of an older version name no owner.) One that loses the
-- database costs no attempt, unless it does so again and again while others do not: while it waited,
-- another was done; or no other has lost it.
CREATE FUNCTION finish_jobs(outcomes jsonb, most_attempts integer)
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

-- How many requests a host takes, by credential: see quotas.py. A limit is the source's, whoever
-- of us uses it, so the key names no workspace; nothing of a workspace's is in here.
CREATE TABLE quotas (
    key           text PRIMARY KEY,
    closed_until  timestamptz,
    reason        text,
    told_limit    integer,
    told_left     integer,
    told_until    timestamptz,
    told_ahead    integer NOT NULL DEFAULT 0,
    told_window   float8,
    granted_to    float8,
    touched_at    timestamptz NOT NULL DEFAULT moment()
) WITH (fillfactor = 50);

-- What was granted within the length of a bucket: slices of time, each with its first and last
-- moment (seconds since 1970) and its count.
CREATE TABLE quota_buckets (
    key      text NOT NULL REFERENCES quotas ON DELETE CASCADE,
    tokens   integer NOT NULL CHECK (tokens > 0),
    seconds  float8 NOT NULL CHECK (seconds > 0),
    starts   float8[] NOT NULL DEFAULT '{}',
    ends     float8[] NOT NULL DEFAULT '{}',
    counts   integer[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (key, seconds, tokens)
) WITH (fillfactor = 50);

-- A host that fails is not asked for a while, by any run of its connection: see breakers.py.
CREATE TABLE breakers (
    workspace_id   bigint NOT NULL,
    connection_id  bigint NOT NULL,
    host           text NOT NULL,
    failures       integer NOT NULL,
    reason         text NOT NULL,
    open_until     timestamptz,
    probe_until    timestamptz,
    PRIMARY KEY (workspace_id, connection_id, host),
    FOREIGN KEY (workspace_id, connection_id) REFERENCES connections ON DELETE CASCADE
);

-- Answers that a source lets us keep: see response_cache.py. A crash empties it, and may.
CREATE UNLOGGED TABLE response_cache (
    workspace_id   bigint NOT NULL,
    connection_id  bigint NOT NULL,
    key            bytea NOT NULL,
    answer         bytea NOT NULL,
    kept_until     timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, key),
    FOREIGN KEY (workspace_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE INDEX response_cache_kept ON response_cache (kept_until);

CREATE FUNCTION buy_tokens(
    for_key text, want_tokens integer[], want_seconds float8[], wanted integer, needed integer,
    horizon float8, patience float8, say_limit integer, say_left integer, say_seconds float8,
    back_at float8[], back_counts integer[]
) RETURNS TABLE (asked_at float8, grant_at float8, granted integer, why text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    q quotas;
    b quota_buckets;
    buckets quota_buckets[];
    checked boolean[];
    told_end float8;
    windows integer;
    closed float8;
    at float8;
    later float8;
    room integer;
    used integer;
    got integer := 0;
    k integer;
BEGIN
    -- A purchase that a crash of the server undoes is worth less than waiting for the disk.
    PERFORM set_config('synchronous_commit', 'off', true);
    LOOP
        SELECT * INTO q FROM quotas WHERE key = for_key FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO quotas (key) VALUES (for_key) ON CONFLICT DO NOTHING;
    END LOOP;
    -- Not before the lock: who waited for it comes after whom it waited for.
    asked_at := extract(epoch FROM moment());
    INSERT INTO quota_buckets (key, tokens, seconds)
        SELECT for_key, u.t, u.s FROM unnest(want_tokens, want_seconds) AS u (t, s)
        WHERE NOT EXISTS (SELECT FROM quota_buckets e
            WHERE e.key = for_key AND e.tokens = u.t AND e.seconds = u.s);
    -- Each grant is noted in all buckets, also in those that only others ask to keep to.
    SELECT array_agg(e ORDER BY e.seconds, e.tokens),
           array_agg(EXISTS (SELECT FROM unnest(want_tokens, want_seconds) AS u (t, s)
               WHERE u.t = e.tokens AND u.s = e.seconds) ORDER BY e.seconds, e.tokens)
        INTO buckets, checked FROM quota_buckets e WHERE e.key = for_key;

    told_end := extract(epoch FROM q.told_until);
    -- What the source tells is of one window of its own. Tokens are sold for it, and ahead for
    -- the next one, whose length and limit are taken to be the same.
    IF told_end <= asked_at AND q.told_limit > 0 AND q.told_window > 0 THEN
        windows := floor((asked_at - told_end) / q.told_window) + 1;
        told_end := told_end + windows * q.told_window;
        q.told_left := q.told_limit - CASE WHEN windows = 1 THEN q.told_ahead ELSE 0 END;
        q.told_ahead := 0;
    END IF;
    FOR g IN 1..coalesce(cardinality(back_at), 0) LOOP
        IF back_at[g] < told_end THEN
            q.told_left := q.told_left + back_counts[g];
        ELSE
            q.told_ahead := greatest(0, q.told_ahead - back_counts[g]);
        END IF;
    END LOOP;
    IF say_left IS NOT NULL THEN
        q.told_window := greatest(coalesce(q.told_window, 0), say_seconds);
        IF told_end IS NULL OR told_end <= asked_at THEN
            q.told_left := say_left;
            q.told_ahead := 0;
        ELSIF asked_at + say_seconds > told_end + q.told_window / 2 THEN
            q.told_left := say_left - q.told_ahead;
            q.told_ahead := 0;
        ELSE
            -- What was sold since that answer is not forgotten.
            q.told_left := least(q.told_left, say_left);
        END IF;
        told_end := asked_at + say_seconds;
        q.told_limit := coalesce(say_limit, q.told_limit);
    END IF;

    at := asked_at;
    closed := extract(epoch FROM q.closed_until);
    IF closed > at THEN
        at := closed;
    END IF;
    IF told_end > asked_at AND q.granted_to > at THEN
        at := q.granted_to;
    END IF;
    FOR i IN 1..coalesce(cardinality(buckets), 0) LOOP
        b := buckets[i];
        FOR g IN 1..coalesce(cardinality(back_at), 0) LOOP
            FOR j IN 1..cardinality(b.counts) LOOP
                IF b.ends[j] >= back_at[g] THEN
                    IF b.starts[j] <= back_at[g] THEN
                        b.counts[j] := greatest(0, b.counts[j] - back_counts[g]);
                    END IF;
                    EXIT;
                END IF;
            END LOOP;
        END LOOP;
        k := cardinality(b.counts);
        WHILE k > 0 AND b.counts[k] = 0 LOOP
            k := k - 1;
        END LOOP;
        used := 0;
        WHILE used < k AND b.ends[used + 1] + b.seconds <= asked_at LOOP
            used := used + 1;
        END LOOP;
        b.starts := b.starts[used + 1:k];
        b.ends := b.ends[used + 1:k];
        b.counts := b.counts[used + 1:k];
        k := cardinality(b.counts);
        -- Grants are in the order of their times, so a window is full or not for good.
        IF k > 0 AND b.ends[k] > at THEN
            at := b.ends[k];
        END IF;
        buckets[i] := b;
    END LOOP;
    WHILE got < wanted LOOP
        room := wanted - got;
        later := at;
        FOR i IN 1..coalesce(cardinality(buckets), 0) LOOP
            CONTINUE WHEN NOT checked[i];
            b := buckets[i];
            k := cardinality(b.counts);
            used := 0;
            WHILE k > 0 AND b.ends[k] + b.seconds > at AND used < b.tokens LOOP
                used := used + b.counts[k];
                k := k - 1;
            END LOOP;
            IF used < b.tokens THEN
                room := least(room, b.tokens - used);
            ELSE
                -- The slice that fills the window: when it is out of it there is room again.
                later := greatest(later, b.ends[k + 1] + b.seconds);
            END IF;
        END LOOP;
        IF told_end > at THEN
            IF q.told_left <= 0 THEN
                -- A little later: the source's window may begin with its first request.
                later := greatest(later, told_end + least(q.told_window / 20, 1));
            ELSE
                room := least(room, q.told_left);
            END IF;
        ELSIF told_end > asked_at AND q.told_limit > 0 THEN
            -- No more than is needed: what the source says by then may be something else.
            room := least(room, q.told_limit - q.told_ahead, needed - got);
            EXIT WHEN got >= needed;
            IF room <= 0 OR at >= told_end + q.told_window THEN
                at := greatest(at, told_end + q.told_window);
                EXIT;
            END IF;
        END IF;
        IF later > at THEN
            at := later;
            CONTINUE;
        END IF;
        IF at - asked_at > patience THEN
            EXIT;
        END IF;
        IF at - asked_at > horizon THEN
            room := least(room, needed - got);
            EXIT WHEN room <= 0;
        END IF;
        FOR i IN 1..coalesce(cardinality(buckets), 0) LOOP
            b := buckets[i];
            k := cardinality(b.counts);
            -- A slice is free again when its last moment is: a burst is noted finely, lest its
            -- first tokens wait for its last, and what goes on for long in few rows.
            IF k > 0 AND at - b.starts[k] <= b.seconds / (CASE WHEN k < 32 THEN 256 ELSE 32 END) THEN
                b.ends[k] := at;
                b.counts[k] := b.counts[k] + room;
            ELSE
                b.starts := b.starts || at;
                b.ends := b.ends || at;
                b.counts := b.counts || room;
            END IF;
            buckets[i] := b;
        END LOOP;
        IF told_end > at THEN
            q.told_left := q.told_left - room;
        ELSIF told_end > asked_at THEN
            q.told_ahead := q.told_ahead + room;
        END IF;
        q.granted_to := at;
        got := got + room;
        grant_at := at;
        granted := room;
        RETURN NEXT;
    END LOOP;

    UPDATE quotas SET told_limit = q.told_limit, told_left = q.told_left,
        told_until = to_timestamp(told_end), told_ahead = q.told_ahead,
        told_window = q.told_window, granted_to = q.granted_to, touched_at = moment()
        WHERE key = for_key;
    FOREACH b IN ARRAY coalesce(buckets, '{}') LOOP
        UPDATE quota_buckets e SET starts = b.starts, ends = b.ends, counts = b.counts
            WHERE e.key = for_key AND e.seconds = b.seconds AND e.tokens = b.tokens;
    END LOOP;
    IF got = 0 THEN
        grant_at := at;
        granted := 0;
        why := CASE WHEN closed > asked_at AND at <= closed THEN q.reason END;
        RETURN NEXT;
    END IF;
END $$;

-- The outbox: what happened, written in the transaction that made it happen. Read it as
-- events.py does: what commits late has a lower id than what was read.
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

-- How far a consumer has read. Transaction ids mean something on one server only.
CREATE TABLE event_readers (
    name      text PRIMARY KEY,
    server    bigint NOT NULL,
    txid      xid8 NOT NULL,
    event_id  bigint NOT NULL
);

-- What is wrong with a connection now. No foreign key: whoever notes one may hold a job's lock,
-- and who removes a connection waits for those.
CREATE TABLE troubles (
    workspace_id   bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    connection_id  bigint NOT NULL,
    kind           text NOT NULL,
    since          timestamptz NOT NULL DEFAULT moment(),
    PRIMARY KEY (workspace_id, connection_id, kind)
);

-- What has been told of a trouble, by the alerts: not too often, and once that it is over.
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

-- When each service of upkeep is to run next, on whichever machine.
CREATE TABLE upkeep (
    service   text PRIMARY KEY,
    due_at    timestamptz NOT NULL,
    ended_at  timestamptz,
    done      bigint
);

-- Note that something is wrong with a connection, and say so. `once`: only when it begins.
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

-- Note that it is not wrong any more; says so where it was.
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

-- Whatever makes a job dead, refuses a credential or ends a run: the event is part of it.
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

-- Who ends a run has locked its connection before it: see close_run in runs.py.
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
CREATE TRIGGER runs_ended AFTER UPDATE OF state ON runs FOR EACH ROW
    WHEN (OLD.state = 'running' AND NEW.state IN ('done', 'failed'))
    EXECUTE FUNCTION run_has_ended();

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

-- Columns that no plan depends on, and that are long. A sample holds rows whole, so where rows are
-- large the other columns ask for few.
ALTER TABLE manifest ALTER locator SET STATISTICS 0, ALTER validators SET STATISTICS 0,
    ALTER failure SET STATISTICS 0, ALTER entry_id SET STATISTICS 0;
ALTER TABLE documents ALTER properties SET STATISTICS 0, ALTER title SET STATISTICS 0;
ALTER TABLE embeddings_shared ALTER vector SET STATISTICS 0;
ALTER TABLE content_signatures ALTER bands SET STATISTICS 0;
DO $$
BEGIN
    FOR i IN 0..7 LOOP
        EXECUTE format('ALTER TABLE contents_%s ALTER text SET STATISTICS 0,'
                       ' ALTER workspace_id SET STATISTICS 10,'
                       ' ALTER id SET STATISTICS 10, ALTER hash SET STATISTICS 10,'
                       ' ALTER stemming SET STATISTICS 10, ALTER chunking SET STATISTICS 10', i);
        EXECUTE format('ALTER TABLE chunks_%s ALTER text SET STATISTICS 0,'
                       ' ALTER headings SET STATISTICS 0, ALTER workspace_id SET STATISTICS 30,'
                       ' ALTER content_id SET STATISTICS 30, ALTER n SET STATISTICS 30,'
                       ' ALTER start SET STATISTICS 30, ALTER length SET STATISTICS 30,'
                       ' ALTER hash SET STATISTICS 30, ALTER id SET STATISTICS 30', i);
        EXECUTE format('ALTER TABLE postings_%s ALTER entries SET STATISTICS 0', i);
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA syncline TO syncline_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA syncline TO syncline_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA syncline TO syncline_app;
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM syncline_app;
