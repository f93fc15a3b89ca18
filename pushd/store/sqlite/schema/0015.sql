-- pushd on SQLite, version 15: devices are listed by name, in any case.
UPDATE schema_version SET version = 15;

ALTER TABLE device ADD COLUMN name_key TEXT NOT NULL DEFAULT '';  -- caseless(name)
UPDATE device SET name_key = caseless(name);
CREATE INDEX device_name ON device (name_key, id);
