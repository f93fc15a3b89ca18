-- pushd on PostgreSQL, version 1.
--
-- Timestamps ending in _at, and not_before, muted_until: wall time, whole milliseconds since 1970 UTC.
-- Timestamps ending in _until of a lease, and grace_until: steady milliseconds. Those ending in _elapsed, and expires_at
-- of proofs and secrets, failing_since, next_attempt_at, recheck_at, mail_at: elapsed milliseconds. Durations: seconds.
--
-- Text is compared by its bytes (COLLATE "C"), whatever the language of the database. No index has a column that
-- changes while a command is open, and a page of a table whose rows change keeps free space: so PostgreSQL writes the new
-- version of a row beside the old one, and no index.

-- The version of this schema, and the oldest version of the schema that a program may know to work with it; one row.
CREATE TABLE schema_version (
    version bigint NOT NULL,
    oldest  bigint NOT NULL,
    checked bigint NOT NULL DEFAULT 0             -- a check whether the database can be written counts in it
) WITH (fillfactor = 10);
INSERT INTO schema_version (version, oldest) VALUES (1, 1);

-- The numbers given last, in the order of commits, without gaps: a transaction takes its own right before it commits,
-- and others wait until it has. The history is the newest epoch. One row.
CREATE TABLE feed (
    last       bigint NOT NULL DEFAULT 0,         -- of the event log
    last_audit bigint NOT NULL DEFAULT 0,
    history    text COLLATE "C" NOT NULL DEFAULT ''
) WITH (fillfactor = 10);
INSERT INTO feed DEFAULT VALUES;

-- Devices. The id is '<dialect>:<local part>'. Each operation on a device or its commands locks this row first.
CREATE TABLE device (
    id                text COLLATE "C" PRIMARY KEY,
    dialect           text COLLATE "C" NOT NULL,
    serial            text COLLATE "C",
    name              text COLLATE "C" NOT NULL,
    name_key          text COLLATE "C" NOT NULL,  -- for lists by name, in any case
    site              text COLLATE "C",
    tags              text NOT NULL,              -- JSON list of strings
    facts             text NOT NULL,              -- JSON object of strings, numbers and booleans
    admission         text COLLATE "C" NOT NULL CHECK (admission IN ('pending', 'approved', 'blocked')),
    presence          text COLLATE "C" NOT NULL CHECK (presence IN ('never_seen', 'online', 'offline', 'signed_off')),
    muted_until       bigint,
    muted_elapsed     bigint,
    last_seen_at      bigint,                     -- written in batches, some seconds late
    last_address      text COLLATE "C",
    poll_gap          double precision,           -- median time between two polls
    heartbeat_timeout double precision NOT NULL,
    hold              double precision,           -- set by an operator; wins over the learned one
    learned_hold      double precision,
    batch             bigint,                     -- how many commands it takes at once; null: the server's default
    allow_from        text NOT NULL,              -- JSON list of CIDRs
    created_at        bigint NOT NULL
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX device_name ON device (name_key, id);
CREATE INDEX device_online ON device (id) WHERE presence = 'online' AND admission = 'approved';

-- Proofs of identity of devices. Secrets are random, so a plain hash is enough, and serves as the key.
CREATE TABLE proof (
    digest     bytea PRIMARY KEY,                 -- SHA-256
    device     text COLLATE "C" NOT NULL,
    kind       text COLLATE "C" NOT NULL CHECK (kind IN ('secret', 'api_key')),
    expires_at bigint                             -- of one that was replaced with an overlap
);
CREATE INDEX proof_device ON proof (device, kind);

-- Tokens of the admin port, and their secrets.
CREATE TABLE token (
    id              text COLLATE "C" PRIMARY KEY,
    name            text COLLATE "C" NOT NULL UNIQUE,
    role            text COLLATE "C" NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'device')),
    devices         text,                         -- JSON lists of strings; null: not limited by this
    sites           text,
    tags            text,
    endpoints       text,
    expires_at      bigint,
    expires_elapsed bigint,
    last_used_at    bigint,                       -- written in batches, up to a minute late
    created_by      text COLLATE "C",             -- the name of the token that made it; null: the server
    created_at      bigint NOT NULL,
    CHECK ((expires_at IS NULL) = (expires_elapsed IS NULL))
) WITH (fillfactor = 60);
CREATE TABLE token_secret (
    digest     bytea PRIMARY KEY,                 -- SHA-256
    token      text COLLATE "C" NOT NULL,
    expires_at bigint                             -- of one that was replaced with an overlap
);
CREATE INDEX token_secret_token ON token_secret (token);

-- People, and log-ins to the dashboard.
CREATE TABLE person (
    name       text COLLATE "C" PRIMARY KEY,      -- no token has it, too
    role       text COLLATE "C" NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    devices    text,                              -- JSON lists of strings; null: not limited by this
    sites      text,
    tags       text,
    endpoints  text,
    secret     text NOT NULL,                     -- random: what changes carry by way of a proxy follows from it
    created_by text COLLATE "C",                  -- the name of the token or the person
    created_at bigint NOT NULL
);
CREATE TABLE invitation (
    person     text COLLATE "C" PRIMARY KEY,
    digest     bytea NOT NULL UNIQUE,             -- SHA-256
    expires_at bigint NOT NULL                    -- elapsed
);
CREATE TABLE session (
    id              text COLLATE "C" PRIMARY KEY,
    digest          bytea NOT NULL UNIQUE,        -- SHA-256 of the cookie
    token_digest    bytea,                        -- of the secret of a token that logged in
    person          text COLLATE "C",             -- who did instead
    address         text COLLATE "C",             -- of the client
    user_agent      text,
    created_at      bigint NOT NULL,
    last_used_at    bigint NOT NULL,              -- written in batches, up to a minute late
    created_elapsed bigint NOT NULL,              -- the same in elapsed time
    used_elapsed    bigint NOT NULL,
    CHECK ((token_digest IS NULL) <> (person IS NULL))
) WITH (fillfactor = 60);
CREATE INDEX session_person ON session (person) WHERE person IS NOT NULL;

-- Commands.
CREATE TABLE command (
    id              text COLLATE "C" PRIMARY KEY, -- UUIDv7: ascends
    device          text COLLATE "C" NOT NULL,
    state           text COLLATE "C" NOT NULL CHECK (state IN ('queued', 'sent', 'acknowledged', 'succeeded', 'failed',
                                                               'expired', 'cancelled', 'unknown')),
    payload         text NOT NULL,                -- JSON object, as the operator gave it, or a reference to large_text
    endpoint        text COLLATE "C",             -- or control
    endpoints       text COLLATE "C",             -- of a batch: JSON list of strings
    delivery        text COLLATE "C" NOT NULL CHECK (delivery IN ('at_most_once', 'at_least_once')),
    priority        bigint NOT NULL CHECK (priority BETWEEN 0 AND 9),
    ttl             double precision NOT NULL,
    not_before      bigint,
    created_at      bigint NOT NULL,
    expires_at      bigint NOT NULL,
    expires_elapsed bigint NOT NULL,
    attempts        bigint NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND max_attempts),
    max_attempts    bigint NOT NULL,
    lease           double precision NOT NULL,
    deadline        double precision NOT NULL,
    lease_until     bigint,                       -- set exactly while the command is out
    deadline_until  bigint,                       -- no lease of this attempt goes beyond
    sent_at         bigint,                       -- of the latest attempt
    acknowledged_at bigint,                       -- of the latest attempt
    finished_at     bigint,                       -- set exactly while the command is ended
    result          text,                         -- JSON, as the device gave it, or a reference to large_text
    error           text COLLATE "C",
    late            boolean NOT NULL DEFAULT FALSE,
    evidence        text COLLATE "C" CHECK (evidence IN ('device', 'operator')),
    matched_by      text COLLATE "C" CHECK (matched_by IN ('uuid', 'message', 'order')),
    created_by      text COLLATE "C" NOT NULL,
    resend_of       text COLLATE "C",
    resent_as       text COLLATE "C",
    idempotency_key text COLLATE "C",
    fingerprint     bytea,                        -- SHA-256 of the request that came with the key
    trace           text COLLATE "C",
    version         bigint NOT NULL DEFAULT 0,    -- counts changes: each is made to the one before
    outcome         text COLLATE "C" GENERATED ALWAYS AS (CASE WHEN finished_at IS NOT NULL THEN state END) STORED,
    CHECK ((lease_until IS NOT NULL) = (state IN ('sent', 'acknowledged'))),
    CHECK ((finished_at IS NULL) = (state IN ('queued', 'sent', 'acknowledged')))
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
-- Lists.
CREATE INDEX command_device ON command (device, id);
-- The open commands of a device. Behind the other: plans for an empty table take the later one of two indexes that cost
-- the same, and are kept for a while.
CREATE INDEX command_open ON command (device, id) WHERE finished_at IS NULL;
-- Lists.
CREATE INDEX command_ended ON command (device, outcome, id) WHERE finished_at IS NOT NULL;
CREATE INDEX command_outcome ON command (outcome, id) WHERE finished_at IS NOT NULL;
CREATE INDEX command_trace ON command (trace, id) WHERE trace IS NOT NULL;
-- What retention deletes, oldest first.
CREATE INDEX command_finished ON command (finished_at) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX command_key ON command (created_by, device, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- Large texts of commands. In the command is a reference instead, 'large:' and what is equal for equal texts.
CREATE TABLE large_text (
    command text COLLATE "C" NOT NULL,
    name    text COLLATE "C" NOT NULL CHECK (
        name IN ('payload',                       -- as the operator gave it
                 'sent',                          -- what is sent of the payload, if that differs
                 'outline',                       -- what of the payload results are judged by
                 'result')),                      -- as the device gave it
    text    bytea NOT NULL,                       -- JSON, or a part of it, in UTF-8
    PRIMARY KEY (command, name)
);

-- Each attempt to send a command, in order.
CREATE TABLE attempt (
    serial   bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    command  text COLLATE "C" NOT NULL,
    number   bigint NOT NULL,                     -- 1 for the first
    device   text COLLATE "C" NOT NULL,
    uuid     text COLLATE "C",                    -- of the poll that it answered, where the dialect has one
    sent_at  bigint NOT NULL,
    handover text COLLATE "C" NOT NULL,           -- the same for all commands of one answer
    position bigint,                              -- its position there, from 1; null if it was sent alone
    UNIQUE (command, number)
);
CREATE INDEX attempt_device ON attempt (device, serial);
CREATE INDEX attempt_handover ON attempt (handover);
CREATE INDEX attempt_uuid ON attempt (device, uuid, serial) WHERE uuid IS NOT NULL;

-- Orphan results; the newest hundred of each device.
CREATE TABLE orphan (
    id        bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    device    text COLLATE "C" NOT NULL,
    at        bigint NOT NULL,
    reason    text NOT NULL,
    reference text COLLATE "C",                   -- the message id or uuid that it named
    size      bigint NOT NULL,                    -- bytes of the whole body
    raw       bytea NOT NULL                      -- its first 64 KiB
);
CREATE INDEX orphan_device ON orphan (device, id);

-- The event log, numbered by feed.last.
CREATE TABLE event (
    seq     bigint PRIMARY KEY,
    type    text COLLATE "C" NOT NULL,
    at      bigint NOT NULL,
    device  text COLLATE "C",
    by      text COLLATE "C",                     -- the name of a token; null: a device or the server caused it
    command text COLLATE "C",
    data    text NOT NULL                         -- JSON object
);
CREATE INDEX event_device ON event (device, seq);
CREATE INDEX event_command ON event (command, seq) WHERE command IS NOT NULL;
CREATE INDEX event_deleted ON event (device, seq) WHERE type = 'device.deleted';

-- What people and programs change on the admin port, numbered by feed.last_audit.
CREATE TABLE audit (
    id      bigint PRIMARY KEY,
    epoch   text COLLATE "C" NOT NULL,            -- in which it was written
    at      bigint NOT NULL,
    by      text COLLATE "C" NOT NULL,            -- the name of a token
    address text COLLATE "C",                     -- of the client
    action  text COLLATE "C" NOT NULL,            -- as device.change
    object  text COLLATE "C" NOT NULL,            -- as device:controlid:7
    before  text,                                 -- JSON object of the changed fields; null: there was none before
    after   text                                  -- the same after the change; null: there is none any more
);
CREATE INDEX audit_by ON audit (by, id);
CREATE INDEX audit_object ON audit (object, id);

-- The epochs of the database: one since it was made, and one for each time that it was restored.
CREATE TABLE epoch (
    number       bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    name         text COLLATE "C" NOT NULL UNIQUE,
    first_event  bigint NOT NULL,
    first_alert  bigint NOT NULL,
    last_command text COLLATE "C"                 -- of one that began in a copy: commands up to this one may have run
                                                  -- elsewhere, whatever their attempts
);
CREATE INDEX epoch_event ON epoch (first_event, number);
CREATE INDEX epoch_alert ON epoch (first_alert, number);

-- The clocks as they were saved last; one row. Missing until the first start: elapsed time begins as wall time.
CREATE TABLE clock (
    id             bigint PRIMARY KEY CHECK (id = 1),
    wall           bigint NOT NULL,
    elapsed        bigint NOT NULL,
    retention_from bigint NOT NULL                -- elapsed; after a step of the wall clock nothing is purged before
) WITH (fillfactor = 10);

-- Each time that the wall clock was set back: rows up to these were written before. Their wall times may be too late.
CREATE TABLE clock_set_back (
    elapsed  bigint NOT NULL,                     -- when it was set
    event    bigint NOT NULL,                     -- the greatest of each that there was
    orphan   bigint NOT NULL,
    delivery bigint NOT NULL,
    alert    bigint NOT NULL,
    command  text COLLATE "C" NOT NULL
);

-- Approved devices that went offline and are not part of an alert yet. Each waits out a grace period: it may return, or
-- other devices behind the same address may go offline, too.
CREATE TABLE pending_outage (
    device      text COLLATE "C" PRIMARY KEY,
    address     text COLLATE "C",                 -- the address from which it was last seen
    offline_at  bigint NOT NULL,
    grace       double precision NOT NULL,        -- the grace period, in seconds
    grace_until bigint NOT NULL                   -- no alert is raised before
);
CREATE INDEX pending_outage_grace ON pending_outage (grace_until);
CREATE INDEX pending_outage_address ON pending_outage (address) WHERE address IS NOT NULL;

-- When a device went offline or returned; the newest of each device, as many as make it flapping.
CREATE TABLE presence_change (
    id      bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    device  text COLLATE "C" NOT NULL,
    elapsed bigint NOT NULL
);
CREATE INDEX presence_change_device ON presence_change (device, id);

-- Alerts.
CREATE TABLE alert (
    id              bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    kind            text COLLATE "C" NOT NULL
                    CHECK (kind IN ('offline', 'site_offline', 'fleet_offline', 'flapping', 'webhook')),
    address         text COLLATE "C",             -- of kind 'site_offline': IPv4 address or IPv6 /64 of its devices
    site            text COLLATE "C",             -- of kind 'site_offline': the site that all its devices have, if any
    webhook         text COLLATE "C",             -- of kind 'webhook': the one that was disabled
    count           bigint NOT NULL DEFAULT 0,    -- how many devices it is about
    raised_at       bigint NOT NULL,
    raised_elapsed  bigint NOT NULL,
    cleared_at      bigint,
    duration        double precision,             -- for how many seconds it was open
    acknowledged_at bigint,
    acknowledged_by text COLLATE "C",
    recheck_at      bigint,                       -- of an open one of kind 'flapping': when it may be over
    mail_at         bigint,                       -- when the next mail about it is due; null: none is
    mailed_at       bigint,                       -- when the latest mail was sent
    mail_error      text,                         -- why the latest mail did not reach every recipient; null: it did
    CHECK ((address IS NOT NULL) = (kind = 'site_offline'))
);
CREATE INDEX alert_open ON alert (id) WHERE cleared_at IS NULL;
CREATE INDEX alert_fleet ON alert (id) WHERE kind = 'fleet_offline' AND cleared_at IS NULL;
CREATE INDEX alert_cleared ON alert (cleared_at) WHERE cleared_at IS NOT NULL;
CREATE INDEX alert_recheck ON alert (recheck_at) WHERE recheck_at IS NOT NULL;
CREATE INDEX alert_mail ON alert (mail_at) WHERE mail_at IS NOT NULL;
CREATE UNIQUE INDEX alert_webhook ON alert (webhook) WHERE webhook IS NOT NULL AND cleared_at IS NULL;

-- The devices of an alert. A device is in at most one open alert because it is offline, and in one because it flaps.
CREATE TABLE alert_device (
    alert      bigint NOT NULL,
    device     text COLLATE "C" NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    cleared_at bigint,                            -- when this device was seen again
    PRIMARY KEY (alert, device)
);
CREATE UNIQUE INDEX alert_device_open ON alert_device (device, (kind = 'flapping')) WHERE cleared_at IS NULL;
CREATE INDEX alert_device_missing ON alert_device (alert) WHERE cleared_at IS NULL;

-- Webhooks: subscriptions to events, with the progress of their delivery.
CREATE TABLE webhook (
    id              text COLLATE "C" PRIMARY KEY, -- UUIDv7: ascends
    url             text NOT NULL,
    format          text COLLATE "C" NOT NULL CHECK (format IN ('standard', 'slack', 'ntfy')),
    types           text NOT NULL,                -- JSON list of event types; empty: all
    devices         text NOT NULL,                -- JSON list of ids; empty: any device, or none
    sites           text NOT NULL,                -- JSON list of strings; the same
    tags            text NOT NULL,                -- JSON list of strings; the same
    include_result  boolean NOT NULL,             -- messages have the device's result
    parallel        bigint NOT NULL,              -- deliveries at once; 1: strictly in order
    created_at      bigint NOT NULL,
    revision        bigint NOT NULL DEFAULT 0,    -- counts an operator's changes, and owners
    cursor          bigint NOT NULL,              -- all events up to this one are delivered, or filtered out
    failing         bigint,                       -- the event that has failed for longest
    failing_since   bigint,
    next_attempt_at bigint,
    disabled_at     bigint,
    disabled_reason text,
    CHECK ((failing IS NULL) = (failing_since IS NULL)),
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
) WITH (fillfactor = 60);

-- Signing secrets. Unlike secrets of devices and operators they are stored in plain text, for they are needed to sign.
CREATE TABLE webhook_secret (
    id         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    webhook    text COLLATE "C" NOT NULL,
    secret     text NOT NULL,
    expires_at bigint                             -- of one that was replaced with an overlap
);
CREATE INDEX webhook_secret_webhook ON webhook_secret (webhook, id);

-- The delivery log: each attempt; the newest thousand of each webhook.
CREATE TABLE delivery (
    id       bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    webhook  text COLLATE "C" NOT NULL,
    seq      bigint NOT NULL,
    at       bigint NOT NULL,
    duration bigint NOT NULL,                     -- milliseconds
    status   bigint,                              -- of the response, if there was one
    error    text
);
CREATE INDEX delivery_webhook ON delivery (webhook, id);

-- The elements of a JSON list: statements use it as they use the function of SQLite.
CREATE FUNCTION json_each(list text) RETURNS TABLE (value text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 10
    AS 'SELECT json_array_elements_text(list::json)';
