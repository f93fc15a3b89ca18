-- pushd on SQLite, version 12: facts about a device, and the serial number that its id stands for.
UPDATE schema_version SET version = 12;

ALTER TABLE device ADD COLUMN facts TEXT NOT NULL DEFAULT '{}';  -- JSON object of strings, numbers and booleans
ALTER TABLE device ADD COLUMN serial TEXT;

-- Five digits in base 36 and six in base 16, as pushd/dialects/controlid/serial_number.py has it.
UPDATE device SET serial = (
    SELECT substr(digits, high / 1679616 + 1, 1) || substr(digits, high / 46656 % 36 + 1, 1)
        || substr(digits, high / 1296 % 36 + 1, 1) || substr(digits, high / 36 % 36 + 1, 1)
        || substr(digits, high % 36 + 1, 1) || '?/' || printf('%06X', low)
    FROM (SELECT number >> 32 AS high, number & 0xFFFFFFFF AS low, '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ' AS digits
          FROM (SELECT CAST(substr(id, 11) AS INTEGER) AS number))
    WHERE high BETWEEN 0 AND 60466175 AND low < 16777216)
WHERE dialect = 'controlid';
