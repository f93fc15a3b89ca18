-- Version 5: a fleet that moves between databases.

UPDATE schema_version SET version = 5, oldest = 5;

-- While a fleet is moved to another database, and after that, a server must not use the one that it comes from, nor, until
-- all is there, the one that it goes to. At most one row.
CREATE TABLE transfer (
    id    text COLLATE "C" PRIMARY KEY,           -- random; the same at both ends
    state text COLLATE "C" NOT NULL CHECK (state IN ('leaving', 'moved', 'arriving')),
    other text NOT NULL,                          -- the other end, without a password
    at    bigint NOT NULL                         -- when the move began; of one that has moved: when it ended
);
