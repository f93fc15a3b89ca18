-- pushd on SQLite, version 2: silence, alerts, webhooks, and lists of one device's commands in one state.
--
-- Moments and durations as in version 1.
UPDATE schema_version SET version = 2;

-- Approved devices that fell silent, and of which nobody was told yet. Each waits out a window: it may come back, or
-- others behind the same address may fall silent, too.
CREATE TABLE silence (
    device      TEXT PRIMARY KEY,
    address     TEXT,                             -- from where it was last heard of
    at          INTEGER NOT NULL,                 -- when it was noticed
    pause       REAL NOT NULL,                    -- the window, in seconds
    quiet_until INTEGER NOT NULL                  -- steady; nobody is told before
) WITHOUT ROWID;
CREATE INDEX silence_quiet ON silence (quiet_until);
CREATE INDEX silence_address ON silence (address) WHERE address IS NOT NULL;

-- What somebody must be told of.
CREATE TABLE alert (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    kind            TEXT NOT NULL CHECK (kind IN ('silence', 'flapping', 'webhook')),
    address         TEXT,                         -- what its devices have in common, if there are several
    webhook         TEXT,
    raised_at       INTEGER NOT NULL,
    cleared_at      INTEGER,
    acknowledged_at INTEGER,
    acknowledged_by TEXT,
    look_at         INTEGER,                      -- of an open one of kind 'flapping': when that may be over
    mail_at         INTEGER,                      -- when the next mail about it is due; null: none is
    mailed_at       INTEGER                       -- when the latest was sent
);
CREATE INDEX alert_open ON alert (id) WHERE cleared_at IS NULL;
CREATE INDEX alert_cleared ON alert (cleared_at) WHERE cleared_at IS NOT NULL;
CREATE INDEX alert_look ON alert (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX alert_mail ON alert (mail_at) WHERE mail_at IS NOT NULL;
CREATE UNIQUE INDEX alert_webhook ON alert (webhook) WHERE webhook IS NOT NULL AND cleared_at IS NULL;

-- Whom an alert is about; one open alert per device and kind.
CREATE TABLE alert_device (
    alert      INTEGER NOT NULL,
    device     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    cleared_at INTEGER,                           -- when this device spoke again
    PRIMARY KEY (alert, device)
) WITHOUT ROWID;
CREATE UNIQUE INDEX alert_device_open ON alert_device (device, kind) WHERE cleared_at IS NULL;

-- How often a device came and went.
CREATE INDEX event_presence ON event (device, at) WHERE type IN ('device.online', 'device.offline');

-- Webhooks: who is told of events, how far that got, and the log of it.
CREATE TABLE webhook (
    id              TEXT PRIMARY KEY,             -- UUIDv7: ascends
    url             TEXT NOT NULL,
    types           TEXT NOT NULL,                -- JSON list of event types; empty: all
    tags            TEXT NOT NULL,                -- JSON list of strings; empty: any device, or none
    parallel        INTEGER NOT NULL,             -- deliveries at once; 1: strictly in order
    created_at      INTEGER NOT NULL,
    revision        INTEGER NOT NULL DEFAULT 0,   -- counts an operator's changes
    cursor          INTEGER NOT NULL,             -- up to this event all is delivered, or not wanted
    failing         INTEGER,                      -- the event that has failed for longest
    failing_since   INTEGER,
    next_attempt_at INTEGER,
    disabled_at     INTEGER,
    disabled_reason TEXT,
    CHECK ((failing IS NULL) = (failing_since IS NULL)),
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
) WITHOUT ROWID;

-- What messages are signed with. Unlike what devices and operators show us, it must be kept as it is.
CREATE TABLE webhook_secret (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook    TEXT NOT NULL,
    secret     TEXT NOT NULL,
    expires_at INTEGER                            -- of one that was replaced with an overlap
);
CREATE INDEX webhook_secret_webhook ON webhook_secret (webhook, id);

-- Each attempt to deliver; the newest thousand of each webhook.
CREATE TABLE delivery (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook  TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    duration INTEGER NOT NULL,                    -- milliseconds
    status   INTEGER,                             -- of the answer, if one came
    error    TEXT
);
CREATE INDEX delivery_webhook ON delivery (webhook, id);

-- Lists of a device's commands in one state; those that are queued or out have indexes of their own.
CREATE INDEX command_ended ON command (device, state, id) WHERE finished_at IS NOT NULL;
