-- pushd on SQLite, version 24: new rows are added to the indexes of devices in batches.
--
-- An index of devices has the rows of each device on pages of their own, so that each commit changed, and wrote, a page
-- for nearly each of its rows. Most rows of a batch share their pages with others.
UPDATE schema_version SET version = 24;

ALTER TABLE command ADD COLUMN indexed INTEGER NOT NULL DEFAULT 1;  -- 0: not in the indexes of devices yet
ALTER TABLE attempt ADD COLUMN indexed INTEGER NOT NULL DEFAULT 1;  -- the same
ALTER TABLE event ADD COLUMN indexed INTEGER NOT NULL DEFAULT 1;    -- the same

DROP INDEX command_device;
DROP INDEX command_ended;
DROP INDEX attempt_device;
DROP INDEX attempt_uuid;
DROP INDEX event_device;
CREATE INDEX command_device ON command (device, id) WHERE indexed = 1;
CREATE INDEX command_ended ON command (device, state, id) WHERE indexed = 1 AND finished_at IS NOT NULL;
CREATE INDEX attempt_device ON attempt (device, serial) WHERE indexed = 1;
CREATE INDEX attempt_uuid ON attempt (device, uuid, serial) WHERE indexed = 1 AND uuid IS NOT NULL;
CREATE INDEX event_device ON event (device, seq) WHERE indexed = 1;
