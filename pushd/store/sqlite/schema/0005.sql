-- pushd on SQLite, version 5: an alert keeps why its mail did not arrive.
UPDATE schema_version SET version = 5;

ALTER TABLE alert ADD COLUMN mail_error TEXT;     -- why the latest mail did not reach every recipient; null: it did
