-- pushd on SQLite, version 10: large texts have a table of their own, so that a move of their command does not write
-- them again. In the command is a reference instead, 'large:' and what is equal for equal texts.
UPDATE schema_version SET version = 10;

CREATE TABLE large_text (
    command TEXT NOT NULL,
    name    TEXT NOT NULL CHECK (
        name = 'payload'                          -- as the operator gave it
        OR name = 'sent'                          -- what is sent of the payload, if that differs
        OR name = 'outline'                       -- what of the payload results are judged by
        OR name = 'result'),                      -- as the device gave it
    text    BLOB NOT NULL,                        -- JSON, or a part of it, in UTF-8
    PRIMARY KEY (command, name)
);

-- Payloads that may be sent again stay where they are: only the program knows what is sent of them.
INSERT INTO large_text SELECT id, 'payload', CAST(payload AS BLOB) FROM command
    WHERE length(payload) > 65536 AND state IN ('succeeded', 'failed', 'expired', 'cancelled');
INSERT INTO large_text SELECT id, 'result', CAST(result AS BLOB) FROM command WHERE length(result) > 65536;
UPDATE command SET payload = 'large:' || id WHERE EXISTS
    (SELECT 1 FROM large_text WHERE large_text.command = command.id AND name = 'payload');
UPDATE command SET result = 'large:' || id WHERE EXISTS
    (SELECT 1 FROM large_text WHERE large_text.command = command.id AND name = 'result');
