-- Version 8: nodes act for devices and tokens only by what the database has of them. Older programs do not count, and
-- may work with it.

UPDATE schema_version SET version = 8;

-- Counts the changes of what a device is admitted by, or a token. A device that was deleted and added again begins
-- elsewhere.
ALTER TABLE device ADD COLUMN revision bigint NOT NULL DEFAULT 0;
ALTER TABLE device ALTER COLUMN revision SET DEFAULT wall_ms();
ALTER TABLE token ADD COLUMN revision bigint NOT NULL DEFAULT 0;
