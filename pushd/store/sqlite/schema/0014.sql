-- pushd on SQLite, version 14: what a command calls and what its sender notes, and who caused an event.
UPDATE schema_version SET version = 14;

ALTER TABLE event ADD COLUMN by TEXT;           -- the name of a token; null: a device or the server caused it

ALTER TABLE command ADD COLUMN endpoint TEXT;   -- or control
ALTER TABLE command ADD COLUMN endpoints TEXT;  -- of a batch: JSON list of strings
ALTER TABLE command ADD COLUMN trace TEXT;

-- Large payloads are in a table of their own.
CREATE TEMP VIEW payload_of AS
    SELECT id AS command, payload FROM command WHERE payload NOT LIKE 'large:%'
    UNION ALL SELECT command, CAST(text AS TEXT) FROM large_text WHERE name = 'payload';
UPDATE command SET endpoint =
    (SELECT COALESCE(json_extract(it.payload, '$.endpoint'), json_extract(it.payload, '$.control'))
     FROM payload_of AS it WHERE it.command = command.id AND json_valid(it.payload));
UPDATE command SET endpoints =
    (SELECT (SELECT json_group_array(DISTINCT json_extract(value, '$.endpoint'))
             FROM json_each(it.payload, '$.transactions'))
     FROM payload_of AS it WHERE it.command = command.id AND json_valid(it.payload))
WHERE endpoint IS NULL;
DROP VIEW payload_of;
