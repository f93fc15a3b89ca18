-- pushd on SQLite, version 22: alerts of kind 'notification_queue', which come with a fleet that was on PostgreSQL before.
UPDATE schema_version SET version = 22;

CREATE TABLE alert_22 (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    kind            TEXT NOT NULL CHECK (kind IN (
        'offline', 'site_offline', 'fleet_offline', 'flapping', 'webhook',
        'restored',                               -- the database lacked what had happened
        'notification_queue')),                   -- that of PostgreSQL filled up
    address         TEXT,                         -- of kind 'site_offline': IPv4 address or IPv6 /64 of its devices
    webhook         TEXT,                         -- of kind 'webhook': the one that was disabled
    count           INTEGER NOT NULL DEFAULT 0,   -- how many devices it is about
    raised_at       INTEGER NOT NULL,
    raised_elapsed  INTEGER NOT NULL DEFAULT 0,
    cleared_at      INTEGER,
    duration        REAL,                         -- for how many seconds it was open
    acknowledged_at INTEGER,
    acknowledged_by TEXT,
    recheck_at      INTEGER,                      -- of an open one of kind 'flapping': when it may be over; elapsed
    mail_at         INTEGER,                      -- when the next mail about it is due; null: none is; elapsed
    mailed_at       INTEGER,                      -- when the latest mail was sent
    mail_error      TEXT,                         -- why the latest mail did not reach every recipient; null: it did
    site            TEXT,                         -- of kind 'site_offline': the site that all its devices have, if any
    CHECK ((address IS NOT NULL) = (kind = 'site_offline'))
);
INSERT INTO sqlite_sequence (name, seq) SELECT 'alert_22', seq FROM sqlite_sequence WHERE name = 'alert';
INSERT INTO alert_22 (id, kind, address, webhook, count, raised_at, raised_elapsed, cleared_at, duration,
                      acknowledged_at, acknowledged_by, recheck_at, mail_at, mailed_at, mail_error, site)
    SELECT id, kind, address, webhook, count, raised_at, raised_elapsed, cleared_at, duration,
           acknowledged_at, acknowledged_by, recheck_at, mail_at, mailed_at, mail_error, site
    FROM alert;
DROP TABLE alert;
ALTER TABLE alert_22 RENAME TO alert;
CREATE INDEX alert_open ON alert (id) WHERE cleared_at IS NULL;
CREATE INDEX alert_fleet ON alert (id) WHERE kind = 'fleet_offline' AND cleared_at IS NULL;
CREATE INDEX alert_cleared ON alert (cleared_at) WHERE cleared_at IS NOT NULL;
CREATE INDEX alert_recheck ON alert (recheck_at) WHERE recheck_at IS NOT NULL;
CREATE INDEX alert_mail ON alert (mail_at) WHERE mail_at IS NOT NULL;
CREATE UNIQUE INDEX alert_webhook ON alert (webhook) WHERE webhook IS NOT NULL AND cleared_at IS NULL;
