-- Version 6: a database that was restored under the nodes, or whose standby took over without the last commits.

UPDATE schema_version SET version = 6, oldest = 6;

-- A node has seen the event with this number, and the database did not have it: others are missing, too. Null: none is.
ALTER TABLE feed ADD COLUMN lost bigint;

ALTER TABLE alert DROP CONSTRAINT alert_kind_check;
ALTER TABLE alert ADD CONSTRAINT alert_kind_check
    CHECK (kind IN ('offline', 'site_offline', 'fleet_offline', 'flapping', 'webhook', 'restored'));
