-- pushd on SQLite, version 23: statements count the changes of devices and tokens, where several processes make them.
UPDATE schema_version SET version = 23;

ALTER TABLE device ADD COLUMN revision INTEGER;   -- always null, and so not counted: what the only process knows is so
ALTER TABLE token ADD COLUMN revision INTEGER;    -- the same
