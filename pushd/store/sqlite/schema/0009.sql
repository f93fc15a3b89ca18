-- pushd on SQLite, version 9: a device has a site, and so has an alert whose devices share one.
UPDATE schema_version SET version = 9;

ALTER TABLE device ADD COLUMN site TEXT;          -- where it is, in an operator's words
ALTER TABLE alert ADD COLUMN site TEXT;           -- of kind 'site_offline': the site that all its devices have, if any
