-- pushd on SQLite, version 17: tokens have scopes, expire and are rotated; secrets are apart from them.
UPDATE schema_version SET version = 17;

CREATE TABLE token_secret (
    digest     BLOB PRIMARY KEY,                  -- SHA-256
    token      TEXT NOT NULL,
    expires_at INTEGER                            -- elapsed; of one that was replaced with an overlap
) WITHOUT ROWID;
CREATE INDEX token_secret_token ON token_secret (token);
INSERT INTO token_secret (digest, token) SELECT digest, id FROM token;

CREATE TABLE scoped_token (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    role            TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'device')),
    devices         TEXT,                         -- JSON lists of strings; null: not limited by this
    sites           TEXT,
    tags            TEXT,
    endpoints       TEXT,
    expires_at      INTEGER,
    expires_elapsed INTEGER,                      -- the same in elapsed time
    last_used_at    INTEGER,                      -- written in batches, up to a minute late
    created_by      TEXT,                         -- the name of the token that made it; null: the server
    created_at      INTEGER NOT NULL,
    CHECK ((expires_at IS NULL) = (expires_elapsed IS NULL))
) WITHOUT ROWID;
INSERT INTO scoped_token (id, name, role, created_at) SELECT id, name, role, created_at FROM token;
DROP TABLE token;
ALTER TABLE scoped_token RENAME TO token;

-- Where deleted devices were: their commands and events stay for a while, and scopes select by site and tags.
CREATE INDEX event_deleted ON event (device, seq) WHERE type = 'device.deleted';
