-- Version 9: since when a node serves a device. Older programs do not write it, and may work with it.

UPDATE schema_version SET version = 9;

ALTER TABLE sighting ADD COLUMN since bigint;     -- steady time of the last move; null: an older program has written it
