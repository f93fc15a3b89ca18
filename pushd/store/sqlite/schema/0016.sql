-- pushd on SQLite, version 16: what people and programs change on the admin port.
UPDATE schema_version SET version = 16;

-- AUTOINCREMENT: no number is given twice, not even after the newest entries were purged.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch   TEXT NOT NULL,                        -- in which it was written
    at      INTEGER NOT NULL,
    by      TEXT NOT NULL,                        -- the name of a token
    address TEXT,                                 -- of the client
    action  TEXT NOT NULL,                        -- as device.change
    object  TEXT NOT NULL,                        -- as device:controlid:7
    before  TEXT,                                 -- JSON object of the changed fields; null: there was none before
    after   TEXT                                  -- the same after the change; null: there is none any more
);
CREATE INDEX audit_by ON audit (by, id);
CREATE INDEX audit_object ON audit (object, id);
