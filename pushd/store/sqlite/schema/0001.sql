-- pushd on SQLite, version 1.
--
-- Timestamps ending in _at, and not_before, muted_until: wall time, whole milliseconds since 1970 UTC.
-- Timestamps ending in _until of a lease: steady milliseconds, valid only in the process that wrote them; each process
-- renews them when it starts. Durations: seconds.

-- The version of this schema; one row. A check whether the disk can be written counts in it.
CREATE TABLE schema_version (version INTEGER NOT NULL, checked INTEGER NOT NULL DEFAULT 0);
INSERT INTO schema_version (version) VALUES (1);

-- Devices. The id is '<dialect>:<local part>'.
CREATE TABLE device (
    id                TEXT PRIMARY KEY,
    dialect           TEXT NOT NULL,
    name              TEXT NOT NULL,
    tags              TEXT NOT NULL,              -- JSON list of strings
    admission         TEXT NOT NULL CHECK (admission IN ('pending', 'approved', 'blocked')),
    presence          TEXT NOT NULL CHECK (presence IN ('never_seen', 'online', 'offline', 'signed_off')),
    muted_until       INTEGER,
    last_seen_at      INTEGER,                    -- written in batches, some seconds late
    last_address      TEXT,
    poll_gap          REAL,                       -- median time between two polls
    heartbeat_timeout REAL NOT NULL,
    hold              REAL,                       -- set by an operator; wins over the learned one
    learned_hold      REAL,
    batch             INTEGER,                    -- how many commands it takes at once; null: the server's default
    allow_from        TEXT NOT NULL,              -- JSON list of CIDRs
    created_at        INTEGER NOT NULL
) WITHOUT ROWID;

-- Proofs of identity of devices. Secrets are random, so a plain hash is enough, and serves as the key.
CREATE TABLE proof (
    digest     BLOB PRIMARY KEY,                  -- SHA-256
    device     TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('secret', 'api_key')),
    expires_at INTEGER                            -- of one that was replaced with an overlap
) WITHOUT ROWID;
CREATE INDEX proof_device ON proof (device, kind);

-- Tokens of the admin port.
CREATE TABLE token (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'device')),
    digest     BLOB NOT NULL UNIQUE,              -- SHA-256
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Commands.
CREATE TABLE command (
    id              TEXT PRIMARY KEY,             -- UUIDv7: ascends
    device          TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'acknowledged', 'succeeded', 'failed',
                                                   'expired', 'cancelled', 'unknown')),
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
    matched_by      TEXT CHECK (matched_by IN ('uuid', 'message', 'order')),
    created_by      TEXT NOT NULL,
    resend_of       TEXT,
    resent_as       TEXT,
    idempotency_key TEXT,
    fingerprint     BLOB,                         -- SHA-256 of the request that came with the key
    CHECK ((lease_until IS NOT NULL) = (state IN ('sent', 'acknowledged'))),
    CHECK ((finished_at IS NOT NULL) = (state IN ('succeeded', 'failed', 'expired', 'cancelled', 'unknown')))
) WITHOUT ROWID;
-- The next command for a device. Here and below the state is a column although it is the same for all entries: else
-- SQLite's planner would prefer the index by state alone, and read the queues of all devices.
CREATE INDEX command_queue ON command (device, state, priority DESC, id) WHERE state = 'queued';
-- Commands that are not due yet, to know when to claim again.
CREATE INDEX command_due ON command (device, not_before) WHERE state = 'queued' AND not_before IS NOT NULL;
-- What the sweep ends, in order of time.
CREATE INDEX command_expiry ON command (state, expires_at) WHERE state = 'queued';
CREATE INDEX command_lease ON command (lease_until) WHERE lease_until IS NOT NULL;
-- Commands in flight of a device.
CREATE INDEX command_out ON command (device, lease_until) WHERE lease_until IS NOT NULL;
-- Lists.
CREATE INDEX command_device ON command (device, id);
CREATE INDEX command_state ON command (state, id);
-- What retention deletes, oldest first.
CREATE INDEX command_finished ON command (finished_at) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX command_key ON command (created_by, device, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- The moves of the lifecycle, as a last guard behind the conditions of the statements.
CREATE TRIGGER command_lifecycle BEFORE UPDATE OF state ON command
WHEN OLD.state || ' ' || NEW.state NOT IN (
    'queued sent', 'queued acknowledged', 'queued succeeded', 'queued failed', 'queued expired', 'queued cancelled',
    'queued unknown',
    'sent queued', 'sent sent', 'sent acknowledged', 'sent succeeded', 'sent failed', 'sent unknown',
    'acknowledged queued', 'acknowledged acknowledged', 'acknowledged succeeded', 'acknowledged failed',
    'acknowledged unknown',
    'unknown acknowledged', 'unknown succeeded', 'unknown failed', 'unknown unknown')
BEGIN
    SELECT RAISE(ABORT, 'the lifecycle of a command has no such move');
END;

-- Each attempt to send a command, in order.
CREATE TABLE attempt (
    serial   INTEGER PRIMARY KEY AUTOINCREMENT,
    command  TEXT NOT NULL,
    number   INTEGER NOT NULL,                    -- 1 for the first
    device   TEXT NOT NULL,
    uuid     TEXT,                                -- of the poll that it answered, where the dialect has one
    sent_at  INTEGER NOT NULL,
    handover TEXT NOT NULL,                       -- the same for all commands of one answer
    position INTEGER,                             -- its position there, from 1; null if it was sent alone
    UNIQUE (command, number)
);
CREATE INDEX attempt_device ON attempt (device, serial);
CREATE INDEX attempt_handover ON attempt (handover);
CREATE INDEX attempt_uuid ON attempt (device, uuid, serial) WHERE uuid IS NOT NULL;

-- Orphan results; the newest hundred of each device.
CREATE TABLE orphan (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    device    TEXT NOT NULL,
    at        INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    reference TEXT,                               -- the message id or uuid that it named
    size      INTEGER NOT NULL,                   -- bytes of the whole body
    raw       BLOB NOT NULL                       -- its first 64 KiB
);
CREATE INDEX orphan_device ON orphan (device, id);

-- The event log. AUTOINCREMENT: no number is given twice, not even after the newest events were purged.
CREATE TABLE event (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    type    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    device  TEXT,
    command TEXT,
    data    TEXT NOT NULL                         -- JSON object
);
CREATE INDEX event_device ON event (device, seq);
CREATE INDEX event_command ON event (command, seq) WHERE command IS NOT NULL;
