-- pushd on SQLite, version 4: alerts about offline devices are of kind 'offline' (one device) or 'site_offline' (all
-- devices behind one address); before, both were 'silence'.
--
-- Timestamps and durations as in version 1.
UPDATE schema_version SET version = 4;

-- Approved devices that went offline and are not part of an alert yet. Each waits out a grace period: it may return, or
-- other devices behind the same address may go offline, too.
CREATE TABLE pending_outage (
    device      TEXT PRIMARY KEY,
    address     TEXT,                             -- the address from which it was last seen
    offline_at  INTEGER NOT NULL,
    grace       REAL NOT NULL,                    -- the grace period, in seconds
    grace_until INTEGER NOT NULL                  -- steady; no alert is raised before
) WITHOUT ROWID;
INSERT INTO pending_outage (device, address, offline_at, grace, grace_until)
    SELECT device, address, at, pause, quiet_until FROM silence;
DROP TABLE silence;
CREATE INDEX pending_outage_grace ON pending_outage (grace_until);
CREATE INDEX pending_outage_address ON pending_outage (address) WHERE address IS NOT NULL;

CREATE TABLE alert_4 (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    kind            TEXT NOT NULL CHECK (kind IN ('offline', 'site_offline', 'flapping', 'webhook')),
    address         TEXT,                         -- of kind 'site_offline': the address that its devices share
    webhook         TEXT,                         -- of kind 'webhook': the one that was disabled
    raised_at       INTEGER NOT NULL,
    cleared_at      INTEGER,
    acknowledged_at INTEGER,
    acknowledged_by TEXT,
    recheck_at      INTEGER,                      -- of an open one of kind 'flapping': when it may be over
    mail_at         INTEGER,                      -- when the next mail about it is due; null: none is
    mailed_at       INTEGER,                      -- when the latest mail was sent
    CHECK ((address IS NOT NULL) = (kind = 'site_offline'))
);
-- An id is never given twice, not even after the newest alerts were purged.
INSERT INTO sqlite_sequence (name, seq) SELECT 'alert_4', seq FROM sqlite_sequence WHERE name = 'alert';
INSERT INTO alert_4 (id, kind, address, webhook, raised_at, cleared_at, acknowledged_at, acknowledged_by, recheck_at,
                     mail_at, mailed_at)
    SELECT id, CASE WHEN kind <> 'silence' THEN kind WHEN address IS NULL THEN 'offline' ELSE 'site_offline' END,
           address, webhook, raised_at, cleared_at, acknowledged_at, acknowledged_by, look_at, mail_at, mailed_at
    FROM alert;
DROP TABLE alert;
ALTER TABLE alert_4 RENAME TO alert;
CREATE INDEX alert_open ON alert (id) WHERE cleared_at IS NULL;
CREATE INDEX alert_cleared ON alert (cleared_at) WHERE cleared_at IS NOT NULL;
CREATE INDEX alert_recheck ON alert (recheck_at) WHERE recheck_at IS NOT NULL;
CREATE INDEX alert_mail ON alert (mail_at) WHERE mail_at IS NOT NULL;
CREATE UNIQUE INDEX alert_webhook ON alert (webhook) WHERE webhook IS NOT NULL AND cleared_at IS NULL;

-- A device is in at most one open alert because it is offline, alone or with its site, and in one because it flaps.
UPDATE alert_device SET kind = COALESCE((SELECT kind FROM alert WHERE id = alert_device.alert), 'offline')
    WHERE kind = 'silence';
DROP INDEX alert_device_open;
CREATE UNIQUE INDEX alert_device_open ON alert_device (device, (kind = 'flapping')) WHERE cleared_at IS NULL;

-- The events about these alerts name the kind, too; that of an acknowledgement names no address.
UPDATE event SET data = json_set(data, '$.kind', CASE
    WHEN json_extract(data, '$.address') IS NOT NULL OR json_extract(data, '$.count') > 1
        OR EXISTS (SELECT 1 FROM alert WHERE id = json_extract(event.data, '$.alert') AND kind = 'site_offline')
    THEN 'site_offline' ELSE 'offline' END)
    WHERE type IN ('alert.raised', 'alert.cleared', 'alert.acknowledged') AND json_extract(data, '$.kind') = 'silence';
