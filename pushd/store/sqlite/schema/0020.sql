-- pushd on SQLite, version 20: a fleet that moves between databases.
UPDATE schema_version SET version = 20;

-- While a fleet is moved to another database, and after that, a server must not use the one that it comes from, nor, until
-- all is there, the one that it goes to. At most one row.
CREATE TABLE transfer (
    id    TEXT PRIMARY KEY,                       -- random; the same at both ends
    state TEXT NOT NULL CHECK (state IN ('leaving', 'moved', 'arriving')),
    other TEXT NOT NULL,                          -- the other end, without a password
    at    INTEGER NOT NULL                        -- when the move began; of one that has moved: when it ended
) WITHOUT ROWID;
