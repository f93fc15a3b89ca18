-- Version 2: the processes that serve one database together, which are its nodes.

UPDATE schema_version SET version = 2, oldest = 2;

-- Wall time, in milliseconds since 1970 UTC: the clock of the database counts, not that of a node.
CREATE FUNCTION wall_ms() RETURNS bigint
    LANGUAGE sql VOLATILE PARALLEL SAFE
    AS 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint';

-- The clocks of the service; one row. Elapsed time is wall time less stepped_ms, steady time is wall time less lost_ms.
CREATE TABLE service (
    stepped_ms bigint NOT NULL DEFAULT 0,         -- by which the database's clock was set forward, or back
    lost_ms    bigint NOT NULL DEFAULT 0,         -- the same, and the time in which no node served
    beat       bigint                             -- wall time of the newest beat of any node; null: there was none yet
) WITH (fillfactor = 10);
INSERT INTO service DEFAULT VALUES;

-- The nodes. Each writes its row every second; one whose row is old is taken for dead, and its sessions are ended.
CREATE TABLE node (
    name     text COLLATE "C" PRIMARY KEY,        -- its sessions have the application_name 'pushd/<name>'
    instance text COLLATE "C" NOT NULL,           -- random: which process that has or had this name
    beat     bigint NOT NULL,                     -- steady time of its newest beat
    boottime bigint NOT NULL,                     -- the same by its machine, in milliseconds since that was started
    version  text COLLATE "C" NOT NULL,           -- of the program
    started  bigint NOT NULL                      -- wall time
) WITH (fillfactor = 50);

-- Where devices poll. Written when a device moves to another node, or reports something to another one than it polls.
CREATE TABLE sighting (
    device text COLLATE "C" PRIMARY KEY REFERENCES device ON DELETE CASCADE,
    node   text COLLATE "C" NOT NULL,             -- serves the device: it has polled there last
    moves  bigint NOT NULL,                       -- counts the moves, so that their notifications have an order
    seen   bigint                                 -- steady time when another node has last seen it since; null: none has
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX sighting_node ON sighting (node);
