-- pushd on SQLite, version 7: events and alerts are numbered by epochs.
--
-- Timestamps and durations as in version 1.
UPDATE schema_version SET version = 7;

-- Each start of a server draws an epoch. The id of an event or alert is that of its epoch and its number, so that a
-- database and its copy, both of which go on with the same numbers, never give two events the same id. Events and alerts
-- before the first epoch have their number as id.
CREATE TABLE epoch (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT NOT NULL UNIQUE,
    first_event  INTEGER NOT NULL,
    first_alert  INTEGER NOT NULL,
    last_command TEXT                             -- of the first start of a copy: commands up to this one may have run
                                                  -- elsewhere, whatever their attempts
);
-- The epoch of an event, and of an alert.
CREATE INDEX epoch_event ON epoch (first_event, number);
CREATE INDEX epoch_alert ON epoch (first_alert, number);
