-- Full text by postings in place of a tsvector for each chunk. Never edit this file.

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
        EXECUTE format('CREATE TABLE postings_%s PARTITION OF postings '
                       'FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i);
        EXECUTE format('ALTER TABLE postings_%s ALTER entries SET STORAGE EXTERNAL,'
                       ' ALTER entries SET STATISTICS 0', i);
    END LOOP;
END $$;

ALTER TABLE chunks ADD id bigint;
WITH blocks AS MATERIALIZED (
    SELECT workspace_id, content_id, block, nextval('chunk_blocks') AS number
    FROM (SELECT workspace_id, content_id, n / 16 AS block FROM chunks
          GROUP BY 1, 2, 3 ORDER BY 1, 2, 3) AS b)
UPDATE chunks c SET id = b.number * 16 + c.n % 16 FROM blocks b
WHERE c.workspace_id = b.workspace_id AND c.content_id = b.content_id AND c.n / 16 = b.block;
ALTER TABLE chunks ALTER id SET NOT NULL;
CREATE UNIQUE INDEX chunks_id ON chunks (workspace_id, id);

INSERT INTO segments (workspace_id, chunks, words)
SELECT workspace_id, count(*), sum(length) FROM chunks GROUP BY 1 ORDER BY 1;
INSERT INTO postings (workspace_id, term, segment_id, entries)
SELECT c.workspace_id, t.lexeme, s.id, string_agg(int8send(
    (c.id << 16) | (least(t.positions[1], 255)::bigint << 8)
    | least(255, round(ln(1 + c.length) * 23))::bigint), '' ORDER BY c.id)
FROM chunks c JOIN segments s USING (workspace_id), unnest(c.terms) AS t
GROUP BY c.workspace_id, t.lexeme COLLATE "C", t.lexeme, s.id;
ALTER TABLE chunks DROP COLUMN terms;

CREATE OR REPLACE FUNCTION refresh_statistics() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
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

GRANT SELECT, INSERT, UPDATE, DELETE ON segments, postings TO syncline_app;
GRANT USAGE, SELECT ON chunk_blocks, segments_id_seq TO syncline_app;
DO $$
BEGIN
    FOR i IN 0..7 LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON postings_%s TO syncline_app', i);
    END LOOP;
END $$;
