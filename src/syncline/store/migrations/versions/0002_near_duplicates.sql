-- Near-duplicates. Never edit this file.

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

-- Statistics belong to the owner of a table; the application may ask for them to be taken.
CREATE OR REPLACE FUNCTION refresh_statistics() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = syncline, pg_catalog AS $$
BEGIN
    ANALYZE (SKIP_LOCKED) manifest, documents, run_seen, embeddings_shared, content_signatures,
        near_pairs;
    FOR i IN 0..7 LOOP
        EXECUTE format('ANALYZE (SKIP_LOCKED) contents_%s, chunks_%s', i, i);
        -- What lies in the pending list is read through by every search.
        PERFORM gin_clean_pending_list(format('chunks_%s_terms_idx', i)::regclass);
    END LOOP;
    PERFORM gin_clean_pending_list('documents_title');
END $$;

ALTER TABLE content_signatures ALTER bands SET STATISTICS 0;

GRANT SELECT, INSERT, UPDATE, DELETE
    ON content_signatures, content_bands, near_pairs, near_decisions TO syncline_app;

-- What is there already is signed and compared by the next run.
INSERT INTO content_signatures (workspace_id, content_id, version, bands)
SELECT workspace_id, id, 0, '{}' FROM contents;
