-- pushd on SQLite, version 11: the rules of a command's life are in the program, which has all open commands in memory.
UPDATE schema_version SET version = 11;

ALTER TABLE command ADD COLUMN version INTEGER NOT NULL DEFAULT 0;  -- counts changes: each is made to the one before

DROP TRIGGER command_lifecycle;
DROP TABLE lifecycle;

CREATE INDEX command_open ON command (id) WHERE finished_at IS NULL;
DROP INDEX command_queue;
DROP INDEX command_due;
DROP INDEX command_lease;
DROP INDEX command_out;
DROP INDEX command_expiry;
