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
GRANT SELECT, INSERT, UPDATE, DELETE ON secrets TO syncline_app;

-- The file that says what the connection is; `apply --prune` may remove it.
ALTER TABLE connections ADD applied text;
CREATE INDEX connections_applied ON connections (applied) WHERE applied IS NOT NULL;
