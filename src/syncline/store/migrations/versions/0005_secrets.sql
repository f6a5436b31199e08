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
GRANT SELECT, INSERT, UPDATE, DELETE ON secrets TO syncline_app;

-- `applied`: a file says what it is, and `apply --prune` may remove it.
-- `window_seconds`: a run reads only what changed so lately.
ALTER TABLE connections
    ADD applied boolean NOT NULL DEFAULT false,
    ADD window_seconds integer CHECK (window_seconds > 0);
