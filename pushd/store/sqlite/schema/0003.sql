-- pushd on SQLite, version 3: the same guards and lists, at a lower price for each command.
--
-- SQLite sorts a list of more than two values again for each statement that tests whether something is IN it. So checks
-- that each write runs compare with one value after the other, and the lifecycle is a table.
UPDATE schema_version SET version = 3;

-- The moves of the lifecycle.
CREATE TABLE lifecycle (
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    PRIMARY KEY (source, target)
) WITHOUT ROWID;
INSERT INTO lifecycle (source, target) VALUES
    ('queued', 'sent'), ('queued', 'acknowledged'), ('queued', 'succeeded'), ('queued', 'failed'),
    ('queued', 'expired'), ('queued', 'cancelled'), ('queued', 'unknown'),
    ('sent', 'queued'), ('sent', 'sent'), ('sent', 'acknowledged'), ('sent', 'succeeded'), ('sent', 'failed'),
    ('sent', 'unknown'),
    ('acknowledged', 'queued'), ('acknowledged', 'acknowledged'), ('acknowledged', 'succeeded'),
    ('acknowledged', 'failed'), ('acknowledged', 'unknown'),
    ('unknown', 'acknowledged'), ('unknown', 'succeeded'), ('unknown', 'failed'), ('unknown', 'unknown');

-- Commands; see version 1.
CREATE TABLE command_3 (
    id              TEXT PRIMARY KEY,             -- UUIDv7: ascends
    device          TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (
        state = 'queued' OR state = 'sent' OR state = 'acknowledged' OR state = 'succeeded' OR state = 'failed'
        OR state = 'expired' OR state = 'cancelled' OR state = 'unknown'),
    payload         TEXT NOT NULL,                -- JSON object, as the operator gave it
    delivery        TEXT NOT NULL CHECK (delivery IN ('at_most_once', 'at_least_once')),
    priority        INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 9),
    ttl             REAL NOT NULL,
    not_before      INTEGER,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND max_attempts),
    max_attempts    INTEGER NOT NULL,
    lease           REAL NOT NULL,
    deadline        REAL NOT NULL,
    lease_until     INTEGER,                      -- steady; set exactly while the command is out
    deadline_until  INTEGER,                      -- steady; no lease of this attempt goes beyond
    sent_at         INTEGER,                      -- of the latest attempt
    acknowledged_at INTEGER,                      -- of the latest attempt
    finished_at     INTEGER,                      -- set exactly while the command is ended
    result          TEXT,                         -- JSON, as the device gave it
    error           TEXT,
    late            INTEGER NOT NULL DEFAULT 0,
    evidence        TEXT CHECK (evidence IN ('device', 'operator')),
    matched_by      TEXT CHECK (matched_by = 'uuid' OR matched_by = 'message' OR matched_by = 'order'),
    created_by      TEXT NOT NULL,
    resend_of       TEXT,
    resent_as       TEXT,
    idempotency_key TEXT,
    fingerprint     BLOB,                         -- SHA-256 of the request that came with the key
    CHECK ((lease_until IS NOT NULL) = (state IN ('sent', 'acknowledged'))),
    CHECK ((finished_at IS NULL) = (state = 'queued' OR state = 'sent' OR state = 'acknowledged'))
) WITHOUT ROWID;
INSERT INTO command_3 SELECT * FROM command;
DROP TABLE command;
ALTER TABLE command_3 RENAME TO command;

CREATE INDEX command_queue ON command (device, state, priority DESC, id) WHERE state = 'queued';
CREATE INDEX command_due ON command (device, not_before) WHERE state = 'queued' AND not_before IS NOT NULL;
CREATE INDEX command_expiry ON command (state, expires_at) WHERE state = 'queued';
CREATE INDEX command_lease ON command (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX command_out ON command (device, lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX command_device ON command (device, id);
CREATE INDEX command_ended ON command (device, state, id) WHERE finished_at IS NOT NULL;
CREATE INDEX command_state ON command (state, id) WHERE finished_at IS NOT NULL;
CREATE INDEX command_finished ON command (finished_at) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX command_key ON command (created_by, device, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- A last guard behind the conditions of the statements.
CREATE TRIGGER command_lifecycle BEFORE UPDATE OF state ON command
WHEN NOT EXISTS (SELECT 1 FROM lifecycle WHERE source = OLD.state AND target = NEW.state)
BEGIN
    SELECT RAISE(ABORT, 'the lifecycle of a command has no such move');
END;
