-- pushd on SQLite, version 8: one alert when most of the fleet is offline, and the number of an alert's devices.
--
-- Timestamps and durations as in version 6.
UPDATE schema_version SET version = 8;

CREATE TABLE alert_8 (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    kind            TEXT NOT NULL CHECK (kind IN ('offline', 'site_offline', 'fleet_offline', 'flapping', 'webhook')),
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
    CHECK ((address IS NOT NULL) = (kind = 'site_offline'))
);
INSERT INTO sqlite_sequence (name, seq) SELECT 'alert_8', seq FROM sqlite_sequence WHERE name = 'alert';
INSERT INTO alert_8 (id, kind, address, webhook, count, raised_at, raised_elapsed, cleared_at, duration,
                     acknowledged_at, acknowledged_by, recheck_at, mail_at, mailed_at, mail_error)
    SELECT id, kind, address, webhook, (SELECT COUNT(*) FROM alert_device WHERE alert_device.alert = alert.id),
           raised_at, raised_elapsed, cleared_at, duration, acknowledged_at, acknowledged_by, recheck_at, mail_at,
           mailed_at, mail_error
    FROM alert;
DROP TABLE alert;
ALTER TABLE alert_8 RENAME TO alert;
CREATE INDEX alert_open ON alert (id) WHERE cleared_at IS NULL;
CREATE INDEX alert_fleet ON alert (id) WHERE kind = 'fleet_offline' AND cleared_at IS NULL;
CREATE INDEX alert_cleared ON alert (cleared_at) WHERE cleared_at IS NOT NULL;
CREATE INDEX alert_recheck ON alert (recheck_at) WHERE recheck_at IS NOT NULL;
CREATE INDEX alert_mail ON alert (mail_at) WHERE mail_at IS NOT NULL;
CREATE UNIQUE INDEX alert_webhook ON alert (webhook) WHERE webhook IS NOT NULL AND cleared_at IS NULL;

-- The devices of an open alert that have not returned.
CREATE INDEX alert_device_missing ON alert_device (alert) WHERE cleared_at IS NULL;

-- To count the devices that are still online when many go offline.
CREATE INDEX device_online ON device (presence) WHERE presence = 'online' AND admission = 'approved';
