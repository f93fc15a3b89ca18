-- Version 3: which node delivers a webhook, and which one mails alerts.

UPDATE schema_version SET version = 3, oldest = 3;

-- Steady time, in milliseconds: wall time less that in which no node served.
CREATE FUNCTION steady_ms() RETURNS bigint
    LANGUAGE sql VOLATILE
    AS 'SELECT wall_ms() - lost_ms FROM service';

-- A node owns a webhook until it is steady owner_until, unless it renews that before. Each node that takes it counts up
-- its revision.
ALTER TABLE webhook
    ADD COLUMN owner       text COLLATE "C",      -- '<name> <instance>' of the node; null: it was given up
    ADD COLUMN owner_until bigint NOT NULL DEFAULT steady_ms();

-- The same of the mails about alerts: one node sends all of them. One row.
CREATE TABLE mail_owner (
    owner       text COLLATE "C",
    owner_until bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO mail_owner DEFAULT VALUES;
