-- Version 7: alerts that PostgreSQL's notification queue fills up, a kind that earlier programs do not know.

UPDATE schema_version SET version = 7, oldest = 7;

ALTER TABLE alert DROP CONSTRAINT alert_kind_check;
ALTER TABLE alert ADD CONSTRAINT alert_kind_check CHECK (
    kind IN ('offline', 'site_offline', 'fleet_offline', 'flapping', 'webhook', 'restored', 'notification_queue')
);
