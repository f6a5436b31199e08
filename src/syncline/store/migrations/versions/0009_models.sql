-- Which models the passages of a workspace are embedded with.

ALTER TABLE models ADD COLUMN kind text NOT NULL DEFAULT '',
    ADD COLUMN origin jsonb NOT NULL DEFAULT '{}';

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

INSERT INTO workspace_models (workspace_id, model_id, wanted, since)
    SELECT w.id, m.id, m.id = max(m.id) OVER (PARTITION BY w.id), '-infinity'
    FROM workspaces w, models m WHERE EXISTS (SELECT FROM embeddings e
        WHERE e.workspace_id = w.id AND e.model_id = m.id);

GRANT SELECT, INSERT, UPDATE, DELETE ON workspace_models TO syncline_app;
