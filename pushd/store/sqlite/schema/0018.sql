-- pushd on SQLite, version 18: commands are found by what their senders note.
UPDATE schema_version SET version = 18;

CREATE INDEX command_trace ON command (trace, id) WHERE trace IS NOT NULL;
