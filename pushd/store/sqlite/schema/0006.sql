-- pushd on SQLite, version 6: what measures durations no longer follows the wall clock.
--
-- Elapsed time: milliseconds that equal wall time until the wall clock is set; they never jump or go back, and run on
-- while the server is down (see clock). These columns are elapsed time from now on: those named *_elapsed,
-- proof.expires_at, webhook_secret.expires_at, webhook.failing_since, webhook.next_attempt_at, alert.recheck_at and
-- alert.mail_at. Other timestamps and durations as in version 1.
UPDATE schema_version SET version = 6;

-- Both clocks as they were saved last; one row. Missing until the first start: elapsed time begins as wall time.
CREATE TABLE clock (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    wall           INTEGER NOT NULL,
    elapsed        INTEGER NOT NULL,
    retention_from INTEGER NOT NULL               -- elapsed; after a step of the wall clock nothing is purged before
);

-- Each time that the wall clock was set back: rows up to these were written before. Their wall times may be too late.
CREATE TABLE clock_set_back (
    elapsed  INTEGER NOT NULL,                    -- when it was set
    event    INTEGER NOT NULL,                    -- the greatest of each that there was
    orphan   INTEGER NOT NULL,
    delivery INTEGER NOT NULL,
    alert    INTEGER NOT NULL,
    command  TEXT NOT NULL
);

-- When a command is too old to be sent, by elapsed time; it must be younger by both clocks. The sweep goes by this one:
-- when the wall clock is set forward, it is brought forward, too.
ALTER TABLE command ADD COLUMN expires_elapsed INTEGER NOT NULL DEFAULT 0;
UPDATE command SET expires_elapsed = expires_at
    WHERE state <> 'succeeded' AND state <> 'failed' AND state <> 'expired' AND state <> 'cancelled';
DROP INDEX command_expiry;
CREATE INDEX command_expiry ON command (state, expires_elapsed) WHERE state = 'queued';

-- Until when a device is muted.
ALTER TABLE device ADD COLUMN muted_elapsed INTEGER;
UPDATE device SET muted_elapsed = muted_until;

-- When an alert was raised, and for how many seconds it was open.
ALTER TABLE alert ADD COLUMN raised_elapsed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alert ADD COLUMN duration REAL;
UPDATE alert SET raised_elapsed = raised_at, duration = MAX(cleared_at - raised_at, 0) / 1000.0;

-- When a device went offline or returned; the newest of each device, as many as make it flapping.
CREATE TABLE presence_change (
    id      INTEGER PRIMARY KEY,
    device  TEXT NOT NULL,
    elapsed INTEGER NOT NULL
);
CREATE INDEX presence_change_device ON presence_change (device, id);
INSERT INTO presence_change (device, elapsed)
    SELECT device, at FROM event WHERE (type = 'device.offline'
        OR (type = 'device.online' AND json_extract(data, '$.after') = 'offline'))
    AND at > (SELECT at FROM event ORDER BY seq DESC LIMIT 1) - 3600000 ORDER BY seq;
DROP INDEX event_presence;
