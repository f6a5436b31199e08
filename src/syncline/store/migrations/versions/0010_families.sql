-- Large families of near-duplicates: what is compared with what follows from the texts alone.

ALTER TABLE content_signatures ADD COLUMN place bigint;
UPDATE content_signatures s
    SET place = ('x' || encode(substr(c.hash, 1, 8), 'hex'))::bit(64)::bigint
    FROM contents c WHERE c.workspace_id = s.workspace_id AND c.id = s.content_id;
ALTER TABLE content_signatures ALTER place SET NOT NULL;

ALTER TABLE content_bands ADD COLUMN place bigint;
UPDATE content_bands b SET place = s.place FROM content_signatures s
    WHERE s.workspace_id = b.workspace_id AND s.content_id = b.content_id;
ALTER TABLE content_bands DROP CONSTRAINT content_bands_pkey;
ALTER TABLE content_bands ADD PRIMARY KEY (workspace_id, band, place, content_id);

CREATE TABLE full_bands (
    workspace_id  bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    band          bigint NOT NULL,
    first_places  bigint NOT NULL,
    PRIMARY KEY (workspace_id, band)
);

ALTER TABLE near_pairs ADD COLUMN younger bigint, ADD COLUMN elder_place bigint;
UPDATE near_pairs p
    SET younger = CASE WHEN a.place < b.place THEN p.b ELSE p.a END,
        elder_place = least(a.place, b.place)
    FROM content_signatures a, content_signatures b
    WHERE a.workspace_id = p.workspace_id AND a.content_id = p.a
        AND b.workspace_id = p.workspace_id AND b.content_id = p.b;
ALTER TABLE near_pairs ALTER younger SET NOT NULL, ALTER elder_place SET NOT NULL;
CREATE INDEX near_pairs_elders ON near_pairs (workspace_id, younger, elder_place);

UPDATE content_signatures s SET compared = false
    WHERE compared AND EXISTS (SELECT FROM unnest(s.bands) AS k (band)
        WHERE (s.workspace_id, k.band) IN (SELECT workspace_id, band FROM content_bands
            GROUP BY workspace_id, band HAVING count(*) > 100));

GRANT SELECT, INSERT, UPDATE, DELETE ON full_bands TO syncline_app;
