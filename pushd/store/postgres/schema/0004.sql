-- Version 4: what each node has refused.

UPDATE schema_version SET version = 4;

-- What the device ports of the nodes have refused lately. Lost when PostgreSQL crashes, and not on a standby: so it
-- costs no log of writes.
CREATE UNLOGGED TABLE rejection (
    node  text COLLATE "C" PRIMARY KEY REFERENCES node ON DELETE CASCADE,
    items text NOT NULL                           -- JSON list, the newest first
) WITH (fillfactor = 50);
