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

UPDATE schema_version SET version = 2;
