-- pushd on SQLite, version 2: alerts, webhooks, and lists of one device's commands in one state.
--
-- Timestamps and durations as in version 1.
UPDATE schema_version SET version = 2;

-- Approved devices that went offline and are not part of an alert yet; replaced by pending_outage in version 4.
CREATE TABLE silence (
    device      TEXT PRIMARY KEY,
    address     TEXT,                             -- the address from which it was last seen
    at          INTEGER NOT NULL,                 -- when it went offline
    pause       REAL NOT NULL,                    -- the grace period, in seconds
    quiet_until INTEGER NOT NULL                  -- steady; no alert is raised before
) WITHOUT ROWID;
CREATE INDEX silence_quiet ON silence (quiet_until);
CREATE INDEX silence_address ON silence (address) WHERE address IS NOT NULL;

-- Alerts.
CREATE TABLE alert (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    kind            TEXT NOT NULL CHECK (kind IN ('silence', 'flapping', 'webhook')),
    address         TEXT,                         -- the address that its devices share, if there are several
    webhook         TEXT,
    raised_at       INTEGER NOT NULL,
    cleared_at      INTEGER,
    acknowledged_at INTEGER,
    acknowledged_by TEXT,
    look_at         INTEGER,                      -- of an open one of kind 'flapping': when it may be over
    mail_at         INTEGER,                      -- when the next mail about it is due; null: none is
    mailed_at       INTEGER                       -- when the latest mail was sent
);
CREATE INDEX alert_open ON alert (id) WHERE cleared_at IS NULL;
CREATE INDEX alert_cleared ON alert (cleared_at) WHERE cleared_at IS NOT NULL;
CREATE INDEX alert_look ON alert (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX alert_mail ON alert (mail_at) WHERE mail_at IS NOT NULL;
CREATE UNIQUE INDEX alert_webhook ON alert (webhook) WHERE webhook IS NOT NULL AND cleared_at IS NULL;

-- The devices of an alert; one open alert per device and kind.
CREATE TABLE alert_device (
    alert      INTEGER NOT NULL,
    device     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    cleared_at INTEGER,                           -- when this device was seen again
    PRIMARY KEY (alert, device)
) WITHOUT ROWID;
CREATE UNIQUE INDEX alert_device_open ON alert_device (device, kind) WHERE cleared_at IS NULL;

-- How often a device went offline and returned.
CREATE INDEX event_presence ON event (device, at) WHERE type IN ('device.online', 'device.offline');

-- Webhooks: subscriptions to events, with the progress of their delivery.
CREATE TABLE webhook (
    id              TEXT PRIMARY KEY,             -- UUIDv7: ascends
    url             TEXT NOT NULL,
    types           TEXT NOT NULL,                -- JSON list of event types; empty: all
    tags            TEXT NOT NULL,                -- JSON list of strings; empty: any device, or none
    parallel        INTEGER NOT NULL,             -- deliveries at once; 1: strictly in order
    created_at      INTEGER NOT NULL,
    revision        INTEGER NOT NULL DEFAULT 0,   -- counts an operator's changes
    cursor          INTEGER NOT NULL,             -- all events up to this one are delivered, or filtered out
    failing         INTEGER,                      -- the event that has failed for longest
    failing_since   INTEGER,
    next_attempt_at INTEGER,
    disabled_at     INTEGER,
    disabled_reason TEXT,
    CHECK ((failing IS NULL) = (failing_since IS NULL)),
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
) WITHOUT ROWID;

-- Signing secrets. Unlike secrets of devices and operators they are stored in plain text, for they are needed to sign.
CREATE TABLE webhook_secret (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook    TEXT NOT NULL,
    secret     TEXT NOT NULL,
    expires_at INTEGER                            -- of one that was replaced with an overlap
);
CREATE INDEX webhook_secret_webhook ON webhook_secret (webhook, id);

-- The delivery log: each attempt; the newest thousand of each webhook.
CREATE TABLE delivery (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook  TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    duration INTEGER NOT NULL,                    -- milliseconds
    status   INTEGER,                             -- of the response, if there was one
    error    TEXT
);
CREATE INDEX delivery_webhook ON delivery (webhook, id);

-- Lists of a device's commands in one state; queued ones and those in flight have indexes of their own.
CREATE INDEX command_ended ON command (device, state, id) WHERE finished_at IS NOT NULL;
