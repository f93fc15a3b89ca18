-- pushd on SQLite, version 3: lists of one device's commands in one state.
UPDATE schema_version SET version = 3;

CREATE INDEX command_device_state ON command (device, state, id);
