-- pushd on SQLite, version 1.
--
-- Moments ending in _at, and not_before, muted_until: wall time, whole milliseconds since 1970 UTC.
-- Moments ending in _until of a lease: steady milliseconds, meaningful only to the process that wrote them (it
-- rewrites them at its start). Durations: seconds.

-- The version of this schema; one row. Whoever checks whether the disk takes writes counts in it.
CREATE TABLE schema_version (version INTEGER NOT NULL, checked INTEGER NOT NULL DEFAULT 0);
INSERT INTO schema_version (version) VALUES (1);

-- Who may poll. The id is '<dialect>:<local part>'.
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
    poll_gap          REAL,                       -- how long it is deaf between polls; median
    heartbeat_timeout REAL NOT NULL,
    hold              REAL,                       -- an operator's word; wins over the learned one
    learned_hold      REAL,
    batch             INTEGER,                    -- how many commands it takes at once; null: the server's default
    allow_from        TEXT NOT NULL,              -- JSON list of CIDRs
    created_at        INTEGER NOT NULL
) WITHOUT ROWID;

-- What devices prove themselves with. Secrets are random, so a plain hash is enough, and is looked up by.
CREATE TABLE proof (
    digest     BLOB PRIMARY KEY,                  -- SHA-256
    device     TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('secret', 'api_key')),
    expires_at INTEGER                            -- of one that was replaced with an overlap
) WITHOUT ROWID;
CREATE INDEX proof_device ON proof (device, kind);

-- Who may use the admin port.
CREATE TABLE token (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'device')),
    digest     BLOB NOT NULL UNIQUE,              -- SHA-256
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

-- What was sent, and what became of it.
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
-- The next one for a device, in the order in which they are handed over. Here and below a state that is the same for
-- all entries is a column nevertheless: SQLite's planner would else prefer the index by state alone, and read the
-- queues of all devices.
CREATE INDEX command_queue ON command (device, state, priority DESC, id) WHERE state = 'queued';
-- Those not yet due, to know when to look again.
CREATE INDEX command_due ON command (device, not_before) WHERE state = 'queued' AND not_before IS NOT NULL;
-- What the sweep looks for, in order of time.
CREATE INDEX command_expiry ON command (state, expires_at) WHERE state = 'queued';
CREATE INDEX command_lease ON command (lease_until) WHERE lease_until IS NOT NULL;
-- What is out at a device.
CREATE INDEX command_out ON command (device, lease_until) WHERE lease_until IS NOT NULL;
-- Lists.
CREATE INDEX command_device ON command (device, id);
CREATE INDEX command_state ON command (state, id);
-- What retention looks for, oldest first.
CREATE INDEX command_finished ON command (finished_at) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX command_key ON command (created_by, device, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- The lifecycle's moves from one state to another, as a last guard below those of our own statements.
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

-- Each time that a command was handed over, in the order of handing over.
CREATE TABLE attempt (
    serial   INTEGER PRIMARY KEY AUTOINCREMENT,
    command  TEXT NOT NULL,
    number   INTEGER NOT NULL,                    -- 1 for the first
    device   TEXT NOT NULL,
    uuid     TEXT,                                -- of the poll that it answered, where the dialect has one
    sent_at  INTEGER NOT NULL,
    handover TEXT NOT NULL,                       -- shared by those that went in one answer
    position INTEGER,                             -- its place there, from 1; null if it went alone
    UNIQUE (command, number)
);
CREATE INDEX attempt_device ON attempt (device, serial);
CREATE INDEX attempt_handover ON attempt (handover);
CREATE INDEX attempt_uuid ON attempt (device, uuid, serial) WHERE uuid IS NOT NULL;

-- Results that settled nothing; the newest hundred of each device.
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

-- The feed. AUTOINCREMENT: a number is never given twice, not even after the newest entries were purged.
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
