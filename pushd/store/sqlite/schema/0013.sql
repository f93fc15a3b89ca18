-- pushd on SQLite, version 13: webhooks of some devices and sites, in the formats of other services, with results.
UPDATE schema_version SET version = 13;

ALTER TABLE webhook ADD COLUMN devices TEXT NOT NULL DEFAULT '[]';  -- JSON list of ids; empty: any device, or none
ALTER TABLE webhook ADD COLUMN sites TEXT NOT NULL DEFAULT '[]';    -- JSON list of strings; the same
ALTER TABLE webhook ADD COLUMN format TEXT NOT NULL DEFAULT 'standard' CHECK (format IN ('standard', 'slack', 'ntfy'));
ALTER TABLE webhook ADD COLUMN include_result INTEGER NOT NULL DEFAULT 0;  -- 1: messages have the device's result
