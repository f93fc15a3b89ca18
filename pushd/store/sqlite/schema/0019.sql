-- pushd on SQLite, version 19: people, and log-ins to the dashboard.
UPDATE schema_version SET version = 19;

-- audit.by is empty where it is not known who it was: of refused log-ins.

CREATE TABLE person (
    name       TEXT PRIMARY KEY,                  -- no token has it, too
    role       TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    devices    TEXT,                              -- JSON lists of strings; null: not limited by this
    sites      TEXT,
    tags       TEXT,
    endpoints  TEXT,
    secret     TEXT NOT NULL,                     -- random: what changes carry by way of a proxy follows from it
    created_by TEXT,                              -- the name of the token or the person
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE invitation (
    person     TEXT PRIMARY KEY,
    digest     BLOB NOT NULL UNIQUE,              -- SHA-256
    expires_at INTEGER NOT NULL                   -- elapsed
) WITHOUT ROWID;

CREATE TABLE session (
    id              TEXT PRIMARY KEY,
    digest          BLOB NOT NULL UNIQUE,         -- SHA-256 of the cookie
    token_digest    BLOB,                         -- of the secret of a token that logged in
    person          TEXT,                         -- who did instead
    address         TEXT,                         -- of the client
    user_agent      TEXT,
    created_at      INTEGER NOT NULL,
    last_used_at    INTEGER NOT NULL,             -- written in batches, up to a minute late
    created_elapsed INTEGER NOT NULL,             -- the same in elapsed time
    used_elapsed    INTEGER NOT NULL,
    CHECK ((token_digest IS NULL) <> (person IS NULL))
) WITHOUT ROWID;
CREATE INDEX session_person ON session (person) WHERE person IS NOT NULL;
